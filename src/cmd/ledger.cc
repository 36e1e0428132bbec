// `stampede ledger`: the operators' commands for a ledger that many nodes share in one Redis.
//
//   preheat      items and their stock become known before the first node starts; safe to repeat
//   status       epoch, members, and of each item the units free, leased and held, by node
//   rebuild      the nodes build the ledger again from their order logs
//   deactivate   a node that is down no longer holds up the others
//   reclaim      the units of a node that is gone come back (reclaim.cc)
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <thread>

#include "base/progress.h"
#include "base/words.h"
#include "cluster/inspection.h"
#include "cluster/postgres_registry.h"
#include "cluster/redis_client.h"
#include "cluster/retirement.h"
#include "cluster/terms.h"
#include "cmd/fail.h"
#include "cmd/flags.h"
#include "cmd/hardening.h"
#include "cmd/input_file.h"
#include "cmd/reclaim.h"
#include "drain/database.h"
#include "node/products.h"
#include "stock/catalog_json.h"

namespace stampede::cmd {
namespace {

using cluster::EpochView;

constexpr size_t kCatalogBytesMax = size_t{1} << 30;
constexpr int64_t kTimeoutMs = 5'000;
constexpr int64_t kWaitMaxS = 24 * 3600;
constexpr std::chrono::milliseconds kLookEvery{50};
constexpr const char* kNobody = "no node has begun an epoch: does one run?";

struct Flags {
  std::string ledger, db, catalog, key_file, data, item;
  uint32_t node = 0;
  int64_t wait_s = 10, pay_window_s = 0;
  bool has_new_terms = false, presumes_sold = false;
};

constexpr Fail fail("ledger");

// The connections of every subcommand; the registry only where one is needed.
struct Tools {
  std::unique_ptr<cluster::RedisClient> redis;
  std::unique_ptr<cluster::PostgresRegistry> registry;
  drain::DatabaseUrl database;
};

// An exit code when the flags are wrong.
std::optional<int> open_tools(const Flags& flags, bool needs_database, Tools& tools) {
  Result<cluster::RedisUrl> url = cluster::parse_redis_url(flags.ledger);
  if (!url) return usage_error("ledger", "--ledger: " + url.error().message);
  tools.redis = std::make_unique<cluster::RedisClient>(*url, kTimeoutMs);
  if (!needs_database) return std::nullopt;
  Result<drain::DatabaseUrl> database = drain::parse_database_url(flags.db);
  if (!database) return usage_error("ledger", "--db: " + database.error().message);
  if (database->kind != drain::DatabaseUrl::Kind::postgres)
    return usage_error("ledger", "--db: expected postgres://…, the database that the nodes share");
  tools.database = *database;
  tools.registry = std::make_unique<cluster::PostgresRegistry>(database->url);
  return std::nullopt;
}

// ---- preheat ----

// Calls part(slice) for some items after the other, so that a catalog of hundreds of thousands is no single statement. Each slice
// is safe to repeat, and so is the whole. Ends with the first that fails.
template <typename Item, typename Part>
Status in_slices(std::span<const Item> items, Progress& progress, Part&& part) {
  constexpr size_t kSliceItems = 1000;
  for (size_t at = 0; at < items.size(); at += kSliceItems) {
    const std::span<const Item> slice = items.subspan(at, std::min(kSliceItems, items.size() - at));
    if (Status done = part(slice); !done) return done;
    progress.add(slice.size());
  }
  return Ok{};
}

Status supply_open_epoch(cluster::ScriptCaller& redis, cluster::Registry& registry,
                         std::vector<cluster::Supply> supplies, Progress& progress) {
  if (Status status = redis.connect(); !status) return status;
  Result<EpochView> view = cluster::look_at_epoch(redis);
  if (!view) return view.error();
  if (view->state != EpochView::State::open) {
    std::printf("no epoch is open yet: the first node that starts opens one\n");
    return Ok{};
  }
  const Result<bool> is_in_use = cluster::is_in_use(registry, view->epoch);
  if (!is_in_use) return is_in_use.error();
  if (!*is_in_use) {
    std::printf("no node is in the epoch of this Redis: the next begins with these items\n");
    return Ok{};
  }
  const Result<std::vector<cluster::Supply>> known = registry.supplies_in(view->epoch);
  if (!known) return known.error();
  std::set<std::string_view> codes;
  for (const cluster::Supply& supply : *known) codes.insert(supply.item);
  std::erase_if(supplies, [&](const cluster::Supply& supply) {
    return !codes.contains(supply.item);  // its units wait for the node that has sold it alone
  });
  return in_slices(
      std::span<const cluster::Supply>(supplies), progress,
      [&](std::span<const cluster::Supply> slice) {
        const Status sent = cluster::supply(redis, view->epoch, {slice.begin(), slice.end()});
        return sent ? sent : Status(Error{sent.error().message + ": run preheat again"});
      });
}

// Items without any get the catalog's, with which the nodes compare theirs; others only when it was asked for.
Status leave_terms(cluster::Registry& registry, std::span<const stock::CatalogEntry> entries,
                   bool replaces) {
  std::vector<cluster::TermsOffer> offers;
  std::vector<std::string> items;
  for (const stock::CatalogEntry& entry : entries) {
    items.emplace_back(entry.terms.code.view());
    offers.push_back({items.back(), "", stock::terms_json(entry.terms)});
  }
  if (replaces) {
    const auto before = registry.terms(items);
    if (!before) return before.error();
    for (cluster::TermsOffer& offer : offers) offer.before = before->at(offer.item);
  }
  const Result<std::vector<cluster::TermsDifference>> differences =
      cluster::offer_terms(registry, offers, cluster::Writes::each);
  if (!differences) return differences.error();
  for (const cluster::TermsDifference& difference : *differences)
    std::printf("%s: %s (--new-terms replaces what the nodes are compared with)\n",
                difference.item.c_str(), difference.fields.c_str());
  return Ok{};
}

// As the nodes do it.
node::MayEnd name_products(const Flags& flags, cluster::Registry& registry,
                           std::vector<stock::CatalogEntry>& entries) {
  door::Keys keys;
  if (!flags.key_file.empty()) {
    forbid_core_dumps();
    Result<door::Keys> read = read_key_file(flags.key_file);
    if (!read) return node::ending(kExitUsage, "--key-file: " + read.error().message);
    keys = std::move(*read);
  }
  node::ProductCodes codes;
  const auto of_other_keys = node::add_shared_codes(entries, keys.codes, registry, codes);
  if (!of_other_keys) return node::ending(of_other_keys.error());
  node::warn_of_other_keys(*of_other_keys);
  const Status given = node::give_codes(entries, std::move(codes), keys.codes);
  return given ? std::nullopt : node::MayEnd(node::ending(given.error(), kExitUsage));
}

// `standing`: the registry's supply of the items that were wanted, in their order.
Status make_known(const Tools& tools, const Flags& flags,
                  const std::vector<stock::CatalogEntry>& entries,
                  const std::vector<cluster::Supply>& wanted,
                  std::vector<cluster::Supply>& standing, Progress& progress) {
  const Status added =
      in_slices(std::span(wanted), progress, [&](std::span<const cluster::Supply> slice) -> Status {
        const Result<std::vector<cluster::Supply>> stands = tools.registry->add_items(slice);
        if (!stands) return stands.error();
        standing.insert(standing.end(), stands->begin(), stands->end());
        return Ok{};
      });
  if (!added) return added;
  const Status left =
      in_slices(std::span(entries), progress, [&](std::span<const stock::CatalogEntry> slice) {
        return leave_terms(*tools.registry, slice, flags.has_new_terms);
      });
  if (!left) return left;
  return supply_open_epoch(*tools.redis, *tools.registry, standing, progress);
}

int preheat(const Flags& flags) {
  Tools tools;
  if (const auto exit_code = open_tools(flags, true, tools)) return *exit_code;
  Result<std::string> text = read_file(flags.catalog, kCatalogBytesMax);
  if (!text) return usage_error("ledger preheat", "--catalog: " + text.error().message);
  Result<std::vector<stock::CatalogEntry>> entries = stock::parse_catalog(*text, flags.catalog);
  if (!entries) return usage_error("ledger preheat", "--catalog: " + entries.error().message);
  if (const node::MayEnd end = name_products(flags, *tools.registry, *entries)) return fail(*end);
  Result<std::vector<cluster::Supply>> before = tools.registry->supplies();
  if (!before) return fail(before.error());
  std::map<std::string, cluster::Supply> known;
  for (const cluster::Supply& supply : *before) known.emplace(supply.item, supply);

  std::vector<cluster::Supply> wanted;
  for (const stock::CatalogEntry& entry : *entries)
    wanted.push_back({.item = std::string(entry.terms.code.view()), .supplied = entry.stock});
  Progress progress;
  progress.begin("making items known", 3 * wanted.size());
  std::vector<cluster::Supply> standing;
  Status done = Ok{};
  {
    const ProgressLines lines(progress);
    done = make_known(tools, flags, *entries, wanted, standing, progress);
  }
  if (!done) return fail(done.error());
  size_t new_items = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Units total = standing[i].supplied - standing[i].withdrawn;
    if (!known.contains(wanted[i].item))
      ++new_items;
    else if (total != wanted[i].supplied)
      std::printf(
          "%s: stays at %s, the catalog says %s (POST /admin/items/%s/restock changes it)\n",
          wanted[i].item.c_str(), grouped(total).c_str(), grouped(wanted[i].supplied).c_str(),
          wanted[i].item.c_str());
  }
  std::printf("%s, %s known\n", counted(new_items, "new item").c_str(),
              grouped(wanted.size() - new_items).c_str());
  return kExitOk;
}

// ---- status ----

void print_item(const cluster::ItemCounters& item) {
  std::printf("%s%s\n", cluster::text_of(item).c_str(),
              item.free() < 0 ? "   more is held than was ever supplied" : "");
  std::map<uint32_t, std::pair<int64_t, int64_t>> by_node;  // leased, the rest of the held units
  for (const cluster::StreamCounters& stream : item.streams) {
    auto& [leased, sold] = by_node[stream.node];
    leased += stream.unsold;
    sold += stream.granted - stream.returned - stream.unsold;
  }
  for (const auto& [node, counts] : by_node)
    if (counts.first + counts.second != 0)
      std::printf("  node %u: leased %s, reserved or sold %s\n", node,
                  grouped(counts.first).c_str(), grouped(counts.second).c_str());
}

std::string text_or_none(const std::vector<uint32_t>& nodes) {
  return nodes.empty() ? "none" : cluster::text_of(nodes);
}

int print_members(cluster::Registry& registry) {
  Result<std::vector<cluster::Member>> members = registry.members();
  if (!members) return fail(members.error());
  constexpr const char* kStates[] = {"active", "inactive", "retired"};
  for (const cluster::Member& member : *members)
    std::printf("node %u: %s, last entered epoch %" PRIu64 ", data directory %s%s\n", member.node,
                kStates[static_cast<unsigned>(member.state)], member.epoch, member.uuid.c_str(),
                member.counted_from == cluster::Member::kNotYet
                    ? "; it has sold alone and has not joined yet: the next epoch waits for it"
                    : "");
  return kExitOk;
}

Status print_signs_of_life(cluster::ScriptCaller& redis, const EpochView& view) {
  if (view.state == EpochView::State::gone || view.state == EpochView::State::rolled) {
    std::printf("Redis knows no epoch of its own, so it does not know which nodes run\n");
    return Ok{};
  }
  const Result<cluster::SignsOfLife> signs = cluster::watch_members(redis, view.epoch);
  if (!signs) return signs.error();
  std::printf("running: %s; no sign of life: %s\n", text_or_none(signs->running).c_str(),
              text_or_none(signs->silent).c_str());
  return Ok{};
}

int status(const Flags& flags) {
  Tools tools;
  if (const auto exit_code = open_tools(flags, !flags.db.empty(), tools)) return *exit_code;
  if (Status connected = tools.redis->connect(); !connected) return fail(connected.error());
  Result<EpochView> view = cluster::look_at_epoch(*tools.redis);
  if (!view) return fail(view.error());
  std::printf("epoch %" PRIu64 ": %s; members %s; joined %s\n", view->epoch,
              std::string(cluster::name_of(view->state)).c_str(),
              cluster::text_of(view->members).c_str(), cluster::text_of(view->joined).c_str());
  if (Status printed = print_signs_of_life(*tools.redis, *view); !printed)
    return fail(printed.error());
  if (tools.registry)
    if (const int exit_code = print_members(*tools.registry); exit_code != kExitOk)
      return exit_code;
  if (view->state == EpochView::State::gone) return fail(kNobody);
  if (view->state != EpochView::State::open) return kExitFailure;
  Result<std::vector<cluster::ItemCounters>> items = cluster::read_items(*tools.redis, view->epoch);
  if (!items) return fail(items.error());
  bool is_known = flags.item.empty();
  for (const cluster::ItemCounters& item : *items) {
    if (!flags.item.empty() && item.item != flags.item) continue;
    is_known = true;
    print_item(item);
  }
  return is_known ? kExitOk : fail("--item: the ledger knows no item " + flags.item);
}

// ---- rebuild ----

// An open epoch is ended only when all that must join the next are there: otherwise nothing would be granted until they are.
Status check_members_run(const Tools& tools) {
  const Result<EpochView> view = cluster::look_at_epoch(*tools.redis);
  if (!view) return view.error();
  if (view->state != EpochView::State::open) return Ok{};
  std::vector<cluster::Member> members;
  if (tools.registry) {
    Result<std::vector<cluster::Member>> registered = tools.registry->members();
    if (!registered) return registered.error();
    members = std::move(*registered);
  }
  const Result<cluster::SignsOfLife> signs = cluster::watch_members(*tools.redis, view->epoch);
  if (!signs) return signs.error();
  return cluster::check_all_run(*signs, view->epoch, members);
}

int rebuild(const Flags& flags) {
  Tools tools;
  if (const auto exit_code = open_tools(flags, !flags.db.empty(), tools)) return *exit_code;
  if (Status connected = tools.redis->connect(); !connected) return fail(connected.error());
  if (Status ready = check_members_run(tools); !ready) return fail(ready.error());
  if (Status finished = cluster::finish_epoch(*tools.redis); !finished)
    return fail(finished.error());
  std::printf("the epoch has ended; waiting for the nodes to open the next\n");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(flags.wait_s);
  EpochView view;
  do {
    std::this_thread::sleep_for(kLookEvery);
    Result<EpochView> seen = cluster::look_at_epoch(*tools.redis);
    if (!seen) return fail(seen.error());
    view = *seen;
    if (view.state == EpochView::State::open) {
      std::printf("epoch %" PRIu64 " is open; members %s\n", view.epoch,
                  cluster::text_of(view.members).c_str());
      return kExitOk;
    }
  } while (std::chrono::steady_clock::now() < deadline);
  std::vector<uint32_t> missing;
  for (const uint32_t node : view.members)
    if (std::find(view.joined.begin(), view.joined.end(), node) == view.joined.end())
      missing.push_back(node);
  return fail(Error{view.state == EpochView::State::gone
                        ? kNobody
                        : "the epoch waits for node " + cluster::text_of(missing) +
                              ": start it, or take it out for good with `stampede ledger reclaim "
                              "--node N --data DIR`"});
}

// ---- deactivate ----

int deactivate(const Flags& flags) {
  Tools tools;
  if (const auto exit_code = open_tools(flags, true, tools)) return *exit_code;
  if (Status connected = tools.redis->connect(); !connected) return fail(connected.error());
  using cluster::Waiting;
  const Waiting waiting = flags.presumes_sold ? Waiting::presume_sold : Waiting::refuse;
  if (Status done = cluster::take_out(*tools.redis, *tools.registry, flags.node, waiting); !done)
    return fail(done.error());
  std::printf(
      "node %u is inactive: the others do not wait for it, and its units count as sold.\n"
      "It comes back by starting it; if it is gone for good: stampede ledger reclaim --node %u\n",
      flags.node, flags.node);
  return kExitOk;
}

int reclaim(const Flags& flags) {
  Tools tools;
  if (const auto exit_code = open_tools(flags, true, tools)) return *exit_code;
  if (Status connected = tools.redis->connect(); !connected) return fail(connected.error());
  const ReclaimSettings settings{.node = flags.node,
                                 .data_dir = flags.data,
                                 .pay_window_s = flags.pay_window_s,
                                 .database = tools.database};
  return flags.data.empty() ? reclaim_without_data(settings, *tools.redis, *tools.registry)
                            : reclaim_with_data(settings, *tools.redis, *tools.registry);
}

// ---- flags

Flag database_flag(Flags& flags, bool is_required) {
  return {.name = "--db",
          .unit = "URL",
          .target = &flags.db,
          .help = "postgres://…, the database that the nodes share",
          .is_required = is_required};
}

Flag node_flag(Flags& flags) {
  return {.name = "--node",
          .unit = "N",
          .target = &flags.node,
          .help = "number of the node",
          .bounds = {{0, bounds::node_max}},
          .is_required = true};
}

Command make_command(const std::shared_ptr<Flags>& flags, const char* name, const char* summary,
                     int (*work)(const Flags&), std::vector<Flag> own) {
  Command command{.name = std::string("stampede ledger ") + name,
                  .summary = summary,
                  .run = [flags, work] { return work(*flags); }};
  own.insert(own.begin(), {.name = "--ledger",
                           .unit = "URL",
                           .target = &flags->ledger,
                           .help = "redis://…, redis+sentinel://… or redis+cluster://…",
                           .is_required = true});
  command.add("", std::move(own));
  return command;
}

Command preheat_command(const std::shared_ptr<Flags>& flags) {
  Command command = make_command(
      flags, "preheat", "make items and their stock known; never changes live stock", preheat,
      {database_flag(*flags, true),
       {.name = "--catalog",
        .unit = "FILE",
        .target = &flags->catalog,
        .help = "catalog JSON",
        .is_required = true},
       {.name = "--key-file",
        .unit = "FILE",
        .target = &flags->key_file,
        .help = "the nodes' secrets: for a catalog with products, whose codes are made of them"},
       {.name = "--new-terms",
        .target = &flags->has_new_terms,
        .help = "of known items too: a node whose terms differ from this catalog's warns"}});
  command.examples = {{"stampede ledger preheat --ledger $LEDGER --db $DB --catalog catalog.json",
                       "before the nodes start"}};
  command.exits = {{kExitFailure, "Redis or the database does not answer, or refuses"}};
  return command;
}

Command status_command(const std::shared_ptr<Flags>& flags) {
  Command command = make_command(
      flags, "status", "epoch, members, and each item's units by node; exit 1 unless open", status,
      {database_flag(*flags, false),
       {.name = "--item", .unit = "CODE", .target = &flags->item, .help = "only this item"}});
  command.examples = {{"stampede ledger status --ledger $LEDGER --item ticket", "one item"}};
  command.exits = {
      {kExitFailure, "the ledger is not open, or does not answer; or it knows no such item"}};
  return command;
}

Command rebuild_command(const std::shared_ptr<Flags>& flags) {
  Command command = make_command(
      flags, "rebuild",
      "let the nodes build the ledger again from their order logs; all active ones must run",
      rebuild,
      {{.name = "--db",
        .unit = "URL",
        .target = &flags->db,
        .help = "the database that the nodes share: also looks for nodes that have sold alone and "
                "have not joined yet, for which the next epoch waits too"},
       {.name = "--wait",
        .unit = "SECONDS",
        .target = &flags->wait_s,
        .help = "how long to wait for it",
        .bounds = {{0, kWaitMaxS}}}});
  command.examples = {
      {"stampede ledger rebuild --ledger $LEDGER --db $DB", "all nodes count anew"}};
  command.exits = {
      {kExitFailure, "a node does not run, it was not open in time, or a server does not answer"}};
  return command;
}

Command deactivate_command(const std::shared_ptr<Flags>& flags) {
  Command command = make_command(
      flags, "deactivate", "a node that is down no longer holds up the others; it may come back",
      deactivate,
      {database_flag(*flags, true),
       node_flag(*flags),
       {.name = "--presume-sold",
        .target = &flags->presumes_sold,
        .help = "also when the epoch waits for the node, and its disk is lost: all that no other "
                "node holds counts as sold, until `reclaim` gives back what nobody paid for"}});
  command.examples = {
      {"stampede ledger deactivate --ledger $LEDGER --db $DB --node 3", "node 3 is down for long"}};
  command.exits = {
      {kExitFailure,
       "the node cannot be taken out now, as the line says, or a server does not answer"}};
  return command;
}

Command reclaim_command(const std::shared_ptr<Flags>& flags) {
  Command command = make_command(
      flags, "reclaim", "take a node out for good and put its unsold units back on sale", reclaim,
      {database_flag(*flags, true),
       node_flag(*flags),
       {.name = "--data",
        .unit = "DIR",
        .target = &flags->data,
        .help = "data directory of the node, whose server does not run; without it, its disk is "
                "lost: units without an order in the database count as sold until the last pay "
                "deadline"},
       {.name = "--pay-window",
        .unit = "SECONDS",
        .target = &flags->pay_window_s,
        .help = "longest pay window of its items, when no order in the database tells (without "
                "--data)",
        .bounds = {{1, bounds::pay_window_s_max}},
        .absent = "what the orders tell"}});
  command.examples = {
      {"stampede ledger reclaim --ledger $LEDGER --db $DB --node 3 --data /mnt/node-3",
       "its disk is here"},
      {"stampede ledger reclaim --ledger $LEDGER --db $DB --node 3", "its disk is lost"}};
  command.exits = {{kExitFailure, "a server does not answer, or refuses"},
                   {kExitDirInUse, "the server of this node runs"},
                   {kExitTryLater, "an order may still be paid: again when the line says"},
                   {kExitLogDamaged, "its log is damaged: the line names the file"}};
  return command;
}

}  // namespace

Command ledger() {
  const auto flags = std::make_shared<Flags>();
  return {.name = "stampede ledger",
          .summary =
              "operate a ledger that nodes share: preheat, status, rebuild, deactivate, "
              "reclaim",
          .about = "Operates a ledger that several nodes share in a Redis.",
          .subcommands = {preheat_command(flags), status_command(flags), rebuild_command(flags),
                          deactivate_command(flags), reclaim_command(flags)}};
}

}  // namespace stampede::cmd
