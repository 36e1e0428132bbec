#include "cluster/postgres_registry.h"

#include <algorithm>

#include "base/words.h"
#include "postgres/schema.h"

namespace stampede::cluster {
namespace {

using postgres::Connection;
using postgres::Parameters;
using postgres::Rows;
using postgres::Transaction;

constexpr uint64_t kEpochMax = uint64_t{1} << 62;
constexpr int64_t kNobody = -1;

std::string_view name_of(MemberState state) {
  constexpr std::string_view names[] = {"active", "inactive", "retired"};
  return names[static_cast<unsigned>(state)];
}

MemberState state_of(std::string_view name) {
  if (name == name_of(MemberState::active)) return MemberState::active;
  return name == name_of(MemberState::retired) ? MemberState::retired : MemberState::inactive;
}

std::string text_of(uint32_t node) {
  return "node " + std::to_string(node);
}

// Every number of ours is far below 2^63; nonsense from elsewhere (a foreign Redis) becomes negative,
// which the tables refuse.
int64_t number(uint64_t value) {
  return static_cast<int64_t>(value);
}

Supply supply_of(const Rows& rows, size_t row) {
  return {.item = std::string(rows.text(row, 0)),
          .supplied = static_cast<Units>(rows.integer(row, 1)),
          .withdrawn = static_cast<Units>(rows.integer(row, 2))};
}

Member member_of(const Rows& rows, size_t row) {
  return {.node = static_cast<uint32_t>(rows.integer(row, 0)),
          .uuid = std::string(rows.text(row, 1)),
          .state = state_of(rows.text(row, 2)),
          .epoch = static_cast<uint64_t>(rows.integer(row, 3)),
          .counted_from =
              rows.is_null(row, 4) ? Member::kNotYet : static_cast<uint64_t>(rows.integer(row, 4))};
}

FrozenCount frozen_of(const Rows& rows, size_t row) {
  return {.node = static_cast<uint32_t>(rows.integer(row, 0)),
          .stream = std::string(rows.text(row, 1)),
          .item = std::string(rows.text(row, 2)),
          .accepted = static_cast<Units>(rows.integer(row, 3)),
          .returned = static_cast<Units>(rows.integer(row, 4))};
}

template <typename Value>
Result<std::vector<Value>> all(const Result<Rows>& rows, Value (*read)(const Rows&, size_t)) {
  if (!rows) return rows.error();
  std::vector<Value> values;
  values.reserve(rows->size());
  for (size_t row = 0; row < rows->size(); ++row) values.push_back(read(*rows, row));
  return values;
}

template <typename... Values>
Parameters with(const Values&... values) {
  Parameters parameters;
  (parameters.add(values), ...);
  return parameters;
}

}  // namespace

PostgresRegistry::PostgresRegistry(std::string url, const postgres::Options& options)
    : url_(std::move(url)), options_(options) {}

// ---- Transactions

Status PostgresRegistry::connect() {
  connection_.reset();
  Result<Connection> connection = Connection::open(url_, options_);
  if (!connection) return connection.error();
  if (options_.server == postgres::Server::writable) {
    if (Status schema = postgres::ensure_schema(*connection); !schema) return schema;
  } else {
    const Result<bool> has_tables = postgres::has_tables(*connection);
    if (!has_tables) return has_tables.error();
    has_tables_ = *has_tables;
  }
  connection_.emplace(std::move(*connection));
  return Ok{};
}

Result<Transaction> PostgresRegistry::begin(Access access) {
  const auto mode = access == Access::read ? Transaction::Mode::read : Transaction::Mode::write;
  if (connection_ && !connection_->is_broken()) {
    Result<Transaction> begun = Transaction::begin(*connection_, mode);
    if (begun || !connection_->is_broken()) return begun;
  }
  if (Status status = connect(); !status) return status.error();
  return Transaction::begin(*connection_, mode);
}

template <typename Value>
Result<Value> PostgresRegistry::run(Access access, const std::function<Result<Value>()>& body) {
  Result<Transaction> transaction = begin(access);
  if (!transaction) return transaction.error();
  if (!has_tables_ && access == Access::read) return Value{};
  if (access == Access::write)
    if (Status status = postgres::take_lock(*connection_, postgres::Lock::registry); !status)
      return status.error();
  Result<Value> value = body();
  if (!value) return value;
  const Transaction::End end = transaction->commit();
  if (end == Transaction::End::committed) return value;
  return Error{connection_->name() + ": " + connection_->failure().message +
               (end == Transaction::End::unknown
                    ? "; whether the change was made is not known, repeat it"
                    : "")};
}

Result<Rows> PostgresRegistry::query(const char* sql, const Parameters& parameters) {
  return connection_->execute(sql, parameters);
}

Status PostgresRegistry::change(const char* sql, const Parameters& parameters) {
  const Result<Rows> done = query(sql, parameters);
  if (!done) return done.error();
  return Ok{};
}

// ---- Members

Result<std::optional<Member>> PostgresRegistry::find_member(uint32_t node) {
  const Result<Rows> rows =
      query("SELECT node, uuid, state, epoch, counted_from FROM members WHERE node=$1", with(node));
  if (!rows) return rows.error();
  return rows->size() == 0 ? std::optional<Member>() : member_of(*rows, 0);
}

Result<Member> PostgresRegistry::require_member(uint32_t node) {
  const Result<std::optional<Member>> member = find_member(node);
  if (!member) return member.error();
  if (!*member) return Error{text_of(node) + " is no member of this cluster"};
  return **member;
}

Status PostgresRegistry::enroll(uint32_t node, const std::string& uuid) {
  return run<Ok>(Access::write, [&] { return make_member(node, uuid); });
}

Status PostgresRegistry::make_member(uint32_t node, const std::string& uuid) {
  const Result<std::optional<Member>> member = find_member(node);
  if (!member) return member.error();
  if (!*member)
    return change("INSERT INTO members(node, uuid, state) VALUES($1, $2, 'inactive')",
                  with(node, uuid));
  if ((*member)->uuid != uuid)
    return Error{text_of(node) + " of this cluster is another data directory (" + (*member)->uuid +
                 ", this one is " + uuid + "): start with a --node that no other has"};
  if ((*member)->state == MemberState::retired)
    return Error{text_of(node) +
                 " was retired, its data directory cannot come back: start with an empty --data "
                 "and a --node that no other had"};
  return Ok{};
}

Result<std::vector<Member>> PostgresRegistry::members() {
  return run<std::vector<Member>>(Access::read, [&] { return read_members(); });
}

Result<std::vector<Member>> PostgresRegistry::read_members() {
  return all(query("SELECT node, uuid, state, epoch, counted_from FROM members ORDER BY node"),
             member_of);
}

Status PostgresRegistry::set_state(uint32_t node, MemberState state) {
  return change("UPDATE members SET state=$2, updated_at=now() WHERE node=$1",
                with(node, name_of(state)));
}

// ---- Epochs

Status PostgresRegistry::outdate_plans() {
  return change("UPDATE epochs SET is_outdated=true WHERE NOT is_outdated", {});
}

Result<bool> PostgresRegistry::is_outdated(uint64_t epoch) {
  const Result<Rows> outdated =
      query("SELECT FROM epochs WHERE epoch=$1 AND is_outdated", with(number(epoch)));
  if (!outdated) return outdated.error();
  return outdated->size() > 0;
}

Result<EpochPlan> PostgresRegistry::begin_epoch(uint32_t node, uint64_t above) {
  return run<EpochPlan>(Access::write, [&]() -> Result<EpochPlan> {
    const Result<Member> member = require_member(node);
    if (!member) return member.error();
    if (member->state == MemberState::retired) return Error{text_of(node) + " was retired"};
    const Result<Rows> newest = query("SELECT coalesce(max(epoch), 0) FROM epochs");
    if (!newest) return newest.error();
    const uint64_t last = std::max(above, static_cast<uint64_t>(newest->integer(0, 0)));
    if (last >= kEpochMax) return Error{"there is no epoch above " + std::to_string(last)};
    EpochPlan plan{.epoch = ((last >> 16) + 1) << 16 | node};
    if (Status status = change("INSERT INTO epochs(epoch, node) VALUES($1, $2)",
                               with(number(plan.epoch), node));
        !status)
      return status.error();
    if (Status status = set_state(node, MemberState::active); !status) return status.error();
    if (Status status = replace_frozen(node, {}); !status) return status.error();

    const Result<std::vector<Member>> everybody = read_members();
    if (!everybody) return everybody.error();
    for (const Member& other : *everybody)
      if (other.state == MemberState::active) plan.members.push_back(other.node);
    Result<std::vector<FrozenCount>> frozen = read_frozen();
    if (!frozen) return frozen.error();
    plan.frozen = std::move(*frozen);
    // With what a member brings: the epoch does not open before it has the member's counters.
    Result<std::vector<Supply>> supplies =
        read_supplies("counted_from IS NOT NULL OR state='active'");
    if (!supplies) return supplies.error();
    plan.supplies = std::move(*supplies);
    return plan;
  });
}

Result<std::string> PostgresRegistry::refusal_of(uint32_t node, uint64_t epoch) {
  const Result<Member> member = require_member(node);
  if (!member) return member.error();
  if (member->state != MemberState::active)
    return text_of(node) + " is " + std::string(name_of(member->state)) +
           ", not active: it must begin an epoch of its own";
  const Result<bool> outdated = is_outdated(epoch);
  if (!outdated) return outdated.error();
  if (*outdated && member->epoch != epoch)
    return "what epoch " + std::to_string(epoch) +
           " was to begin with has changed: another must begin";
  return std::string();
}

Result<bool> PostgresRegistry::may_enter(uint32_t node, uint64_t epoch) {
  return run<bool>(Access::read, [&]() -> Result<bool> {
    const Result<std::string> refusal = refusal_of(node, epoch);
    if (!refusal) return refusal.error();
    return refusal->empty();
  });
}

Status PostgresRegistry::enter_epoch(uint32_t node, uint64_t epoch) {
  return run<Ok>(Access::write, [&]() -> Status {
    const Result<std::string> refusal = refusal_of(node, epoch);
    if (!refusal) return refusal.error();
    if (!refusal->empty()) return Error{*refusal};
    if (Status status = count_from(node, epoch); !status) return status;
    return change("UPDATE members SET epoch=greatest(epoch, $2), updated_at=now() WHERE node=$1",
                  with(node, number(epoch)));
  });
}

Status PostgresRegistry::deactivate(uint32_t node, uint64_t epoch,
                                    std::span<const FrozenCount> counts) {
  return run<Ok>(Access::write, [&] { return make_inactive(node, epoch, counts); });
}

Status PostgresRegistry::presume(uint32_t node, uint64_t epoch,
                                 std::span<const FrozenCount> counts) {
  return run<Ok>(Access::write, [&]() -> Status {
    const Result<bool> outdated = is_outdated(epoch);
    if (!outdated) return outdated.error();
    if (*outdated)
      return Error{"what epoch " + std::to_string(epoch) +
                   " began with has changed since: stampede ledger rebuild, then this again"};
    // The plan had what the node brought, so what it is presumed to hold has that too.
    if (Status status = count_from(node, epoch); !status) return status;
    return make_inactive(node, epoch, counts);
  });
}

Status PostgresRegistry::count_from(uint32_t node, uint64_t epoch) {
  return change("UPDATE members SET counted_from=least(counted_from, $2) WHERE node=$1",
                with(node, number(epoch)));
}

Status PostgresRegistry::make_inactive(uint32_t node, uint64_t epoch,
                                       std::span<const FrozenCount> counts) {
  const Result<Member> member = require_member(node);
  if (!member) return member.error();
  if (member->state != MemberState::active)
    return Error{text_of(node) + " is " + std::string(name_of(member->state)) + ", not active"};
  if (member->epoch > epoch)
    return Error{text_of(node) + " has entered epoch " + std::to_string(member->epoch) +
                 ", its counters were read in " + std::to_string(epoch) + ": read them again"};
  if (member->counted_from > epoch && epoch != kCountsOfLog) return Error{not_counted(node)};
  // The next epoch is the first that begins with them.
  const Result<Rows> next = query("SELECT coalesce(max(epoch), 0) + 1 FROM epochs");
  if (!next) return next.error();
  if (Status status = count_from(node, static_cast<uint64_t>(next->integer(0, 0))); !status)
    return status;
  if (Status status = set_state(node, MemberState::inactive); !status) return status;
  return replace_frozen(node, counts);
}

Status PostgresRegistry::retire(uint32_t node, std::span<const FrozenCount> counts) {
  return run<Ok>(Access::write, [&]() -> Status {
    // Against the FOR KEY SHARE of the node's drainer: an UPDATE alone would not wait for it.
    if (Status status = change("SELECT FROM members WHERE node=$1 FOR UPDATE", with(node)); !status)
      return status;
    const Result<Member> member = require_member(node);
    if (!member) return member.error();
    if (member->state == MemberState::active)
      return Error{text_of(node) + " is active: deactivate it first"};
    if (Status status = set_state(node, MemberState::retired); !status) return status;
    if (Status status = outdate_plans(); !status) return status;
    return replace_frozen(node, counts);
  });
}

Status PostgresRegistry::replace_frozen(uint32_t node, std::span<const FrozenCount> counts) {
  for (const FrozenCount& count : counts)
    if (count.node != node)
      return Error{"counters of " + text_of(count.node) + " given for " + text_of(node)};
  if (Status status = change("DELETE FROM frozen WHERE node=$1", with(node)); !status)
    return status;
  Parameters columns = with(node);
  columns
      .add_column(counts, [](const FrozenCount& count) { return std::string_view(count.stream); })
      .add_column(counts, [](const FrozenCount& count) { return std::string_view(count.item); })
      .add_column(counts, [](const FrozenCount& count) { return number(count.accepted); })
      .add_column(counts, [](const FrozenCount& count) { return number(count.returned); });
  return change(
      "INSERT INTO frozen(node, stream, item, accepted, returned) "
      "SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[])",
      columns);
}

Result<std::vector<FrozenCount>> PostgresRegistry::frozen() {
  return run<std::vector<FrozenCount>>(Access::read, [&] { return read_frozen(); });
}

Result<std::vector<FrozenCount>> PostgresRegistry::read_frozen() {
  return all(query("SELECT node, stream, item, accepted, returned FROM frozen "
                   "ORDER BY node, stream, item"),
             frozen_of);
}

// ---- Supply

Result<std::vector<Supply>> PostgresRegistry::add_items(std::span<const Supply> items) {
  return run<std::vector<Supply>>(Access::write, [&] { return insert_items(items, std::nullopt); });
}

// Of members that no epoch has counted none is inactive: what they brought would wait for nobody.
Result<std::vector<Supply>> PostgresRegistry::bring_items(uint32_t node, const std::string& uuid,
                                                          std::span<const Supply> items) {
  return run<std::vector<Supply>>(Access::write, [&]() -> Result<std::vector<Supply>> {
    if (Status status = make_member(node, uuid); !status) return status.error();
    const Result<Rows> joining = query(
        "UPDATE members SET state='active', counted_from=NULL, updated_at=now() "
        "WHERE node=$1 AND epoch=0 AND counted_from=0",
        with(node));
    if (!joining) return joining.error();
    if (joining->affected() > 0) {
      // An epoch that has begun lacks its counters.
      if (Status status = outdate_plans(); !status) return status.error();
      if (Status status = replace_frozen(node, {}); !status) return status.error();
    }
    return insert_items(items, node);
  });
}

Result<std::vector<Supply>> PostgresRegistry::insert_items(std::span<const Supply> items,
                                                           std::optional<uint32_t> brought_by) {
  Parameters columns;
  columns.add_column(items, [](const Supply& item) { return std::string_view(item.item); })
      .add_column(items, [](const Supply& item) { return number(item.supplied); })
      .add_column(items, [](const Supply& item) { return number(item.withdrawn); })
      .add(brought_by ? number(*brought_by) : kNobody);
  const Result<Rows> added = query(
      "INSERT INTO supply(item, supplied, withdrawn, brought_by) "
      "SELECT *, nullif($4, -1) FROM unnest($1::text[], $2::bigint[], $3::bigint[]) "
      "ON CONFLICT DO NOTHING",
      columns);
  if (!added) return added.error();
  // An epoch that has begun lacks them, so what a member is presumed to hold there lacks them too.
  if (added->affected() > 0)
    if (Status status = outdate_plans(); !status) return status.error();
  Parameters codes;
  codes.add_column(items, [](const Supply& item) { return std::string_view(item.item); });
  return all(query("SELECT item, supplied, withdrawn "
                   "FROM unnest($1::text[]) WITH ORDINALITY AS asked(item, place) "
                   "JOIN supply USING (item) ORDER BY place",
                   codes),
             supply_of);
}

Result<std::vector<Supply>> PostgresRegistry::supplies() {
  return run<std::vector<Supply>>(Access::read, [&] { return read_supplies("true"); });
}

Result<std::vector<Supply>> PostgresRegistry::supplies_in(uint64_t epoch) {
  return run<std::vector<Supply>>(
      Access::read, [&] { return read_supplies("counted_from <= $1", with(number(epoch))); });
}

// `condition`: of the node that brought an item.
Result<std::vector<Supply>> PostgresRegistry::read_supplies(const std::string& condition,
                                                            const Parameters& parameters) {
  const std::string sql =
      "SELECT item, supplied, withdrawn FROM supply LEFT JOIN members ON node=brought_by "
      "WHERE brought_by IS NULL OR " +
      condition + " ORDER BY item";
  return all(query(sql.c_str(), parameters), supply_of);
}

Result<std::unordered_map<std::string, std::string>> PostgresRegistry::terms(
    std::span<const std::string> items) {
  using Answer = std::unordered_map<std::string, std::string>;
  return run<Answer>(Access::read, [&]() -> Result<Answer> {
    Parameters codes;
    codes.add_column(items, [](const std::string& item) { return std::string_view(item); });
    const Result<Rows> rows =
        query("SELECT item, terms FROM supply WHERE item = ANY($1::text[])", codes);
    if (!rows) return rows.error();
    Answer answer;
    for (size_t row = 0; row < rows->size(); ++row)
      answer.emplace(rows->text(row, 0), rows->text(row, 1));
    return answer;
  });
}

Result<Registry::SoldCodes> PostgresRegistry::codes_of(std::span<const std::string> products) {
  return run<SoldCodes>(Access::read, [&]() -> Result<SoldCodes> {
    Parameters asked;
    asked.add_column(products,
                     [](const std::string& product) { return std::string_view(product); });
    const Result<Rows> rows = query(
        "SELECT terms::json->>'product', item FROM supply "
        "WHERE terms <> '' AND terms::json->>'product' = ANY($1::text[])",
        asked);
    if (!rows) return rows.error();
    SoldCodes answer;
    for (size_t row = 0; row < rows->size(); ++row)
      answer.emplace(rows->text(row, 0), rows->text(row, 1));
    return answer;
  });
}

Result<size_t> PostgresRegistry::change_terms(std::span<const TermsChange> changes) {
  return run<size_t>(Access::write, [&]() -> Result<size_t> {
    Parameters columns;
    columns
        .add_column(changes,
                    [](const TermsChange& change) { return std::string_view(change.item); })
        .add_column(changes,
                    [](const TermsChange& change) { return std::string_view(change.from); })
        .add_column(changes, [](const TermsChange& change) { return std::string_view(change.to); });
    const Result<Rows> done = query(
        "UPDATE supply SET terms=change.after "
        "FROM unnest($1::text[], $2::text[], $3::text[]) AS change(code, before, after) "
        "WHERE item=code AND coalesce(terms, '')=before",
        columns);
    if (!done) return done.error();
    return static_cast<size_t>(done->affected());
  });
}

Result<std::optional<Supply>> PostgresRegistry::find_supply(const std::string& item) {
  const Result<Rows> rows =
      query("SELECT item, supplied, withdrawn FROM supply WHERE item=$1", with(item));
  if (!rows) return rows.error();
  return rows->size() == 0 ? std::optional<Supply>() : supply_of(*rows, 0);
}

// As supplies_in().
Result<bool> PostgresRegistry::may_tell(uint64_t epoch, const std::string& item) {
  const Result<Rows> withheld = query(
      "SELECT FROM supply JOIN members ON node=brought_by "
      "WHERE item=$1 AND coalesce(counted_from > $2, true)",
      with(item, number(epoch)));
  if (!withheld) return withheld.error();
  return withheld->size() == 0;
}

Result<std::optional<Restocked>> PostgresRegistry::find_restock(const std::string& op_id) {
  using Answer = std::optional<Restocked>;
  return run<Answer>(Access::read, [&]() -> Result<Answer> {
    const Result<Rows> rows = query(
        "SELECT item, supplied, withdrawn, delta FROM restocks JOIN supply USING (item) WHERE "
        "op_id=$1",
        with(op_id));
    if (!rows) return rows.error();
    if (rows->size() == 0) return Answer();
    return Answer(
        {.is_applied = false, .delta = rows->integer(0, 3), .supply = supply_of(*rows, 0)});
  });
}

Result<Restocked> PostgresRegistry::restock(const std::string& op_id, const std::string& item,
                                            int64_t delta, uint64_t epoch) {
  return run<Restocked>(Access::write, [&]() -> Result<Restocked> {
    const Result<std::optional<Supply>> before = find_supply(item);
    if (!before) return before.error();
    if (!*before) return Error{"there is no item " + item};
    const Result<Rows> done = query("SELECT item, delta FROM restocks WHERE op_id=$1", with(op_id));
    if (!done) return done.error();
    if (done->size() == 1) {
      const Result<bool> is_in_force = may_tell(epoch, item);
      if (!is_in_force) return is_in_force.error();
      if (done->text(0, 0) == item && done->integer(0, 1) == delta)
        return Restocked{
            .is_applied = false, .delta = delta, .supply = **before, .is_in_force = *is_in_force};
      return Error{"op_id " + op_id + " was used before, for " + std::string(done->text(0, 0)) +
                   " and " + std::string(done->text(0, 1)) + " units"};
    }
    if (delta == 0 || delta < -static_cast<int64_t>(bounds::stock_max) ||
        delta > static_cast<int64_t>(bounds::stock_max))
      return Error{"a restock by " + std::to_string(delta) + " is none"};
    if (delta < 0) {
      const Result<Rows> later = query("SELECT FROM members WHERE epoch > $1", with(number(epoch)));
      if (!later) return later.error();
      if (later->size() > 0)
        return Error{"the units were taken off sale in epoch " + std::to_string(epoch) +
                     ", which is over: repeat it"};
    }
    Supply after = **before;
    (delta > 0 ? after.supplied : after.withdrawn) += static_cast<Units>(std::abs(delta));
    if (after.supplied > bounds::shared_supply_max)
      return Error{item + ": more units than the ledger can count exactly"};
    if (after.withdrawn > after.supplied)
      return Error{item + ": only " +
                   counted((*before)->supplied - (*before)->withdrawn, "unit is", "units are") +
                   " left to withdraw"};
    if (Status status = change("INSERT INTO restocks(op_id, item, delta) VALUES($1, $2, $3)",
                               with(op_id, item, delta));
        !status)
      return status.error();
    if (Status status = change("UPDATE supply SET supplied=$2, withdrawn=$3 WHERE item=$1",
                               with(item, number(after.supplied), number(after.withdrawn)));
        !status)
      return status.error();
    if (Status status = outdate_plans(); !status) return status.error();
    const Result<bool> is_in_force = may_tell(epoch, item);
    if (!is_in_force) return is_in_force.error();
    return Restocked{
        .is_applied = true, .delta = delta, .supply = after, .is_in_force = *is_in_force};
  });
}

}  // namespace stampede::cluster
