#include "commands.h"

#include <algorithm>

#include "books.h"
#include "cluster/inspection.h"
#include "cluster/retirement.h"
#include "damage.h"
#include "world_terms.h"

namespace stampede::sim {
namespace {

constexpr int64_t kTimeoutMs = 5'000;
constexpr uint32_t kDesk = 900;  // whoever gives commands is none of the nodes

}  // namespace

Commands::Commands(const Plan& plan, Servers& servers, Hosts& hosts, History& history, Truth& truth,
                   Operators& operators, Random random,
                   std::function<void(const std::string&)> note)
    : plan_(plan),
      servers_(servers),
      hosts_(hosts),
      history_(history),
      truth_(truth),
      operators_(operators),
      random_(random),
      note_(std::move(note)),
      redis_(servers.redis.make_access(kDesk)) {}

// ---- of the ledger

void Commands::begin(Kind kind, Host& host) {
  acts_ns_ = now_ns() + static_cast<int64_t>(random_.below(3'000)) * kMillisecond;
  const int64_t within_ns = static_cast<int64_t>(random_.between(5, 60)) * kSecond;
  wish_ = Wish{.kind = kind, .node = host.number(), .until_ns = acts_ns_ + within_ns};
  if (kind == Kind::presume || random_.chance(0.5)) host.set_absence_ns(within_ns);
}

void Commands::deactivate(Host& host) {
  if (wish_ || host.is_leaving()) return;
  begin(Kind::deactivate, host);
  if (random_.chance(0.5) && host.state() != Host::State::down) host.kill(random_.chance(0.5));
}

void Commands::presume(Host& host) {
  if (wish_ || host.is_leaving()) return;
  begin(Kind::presume, host);
  host.kill(random_.chance(0.5));
}

void Commands::reclaim(Host& host) {
  const bool is_first =
      std::ranges::none_of(hosts_, [](const auto& each) { return each->is_leaving(); });
  // Of one that has never come there is nothing to have back.
  const bool takes_part = servers_.registry.rows.members.contains(host.number());
  if (wish_ || !is_first || !takes_part || host.awaits_loss()) return;
  begin(Kind::reclaim, host);
  note_("node " + std::to_string(host.number()) + " is given up");
  if (host.state() != Host::State::down) host.kill(random_.chance(0.5));
  host.leave();
}

void Commands::rebuild() {
  if (!wish_) begin(Kind::rebuild, *hosts_[0]);
}

// What was tried for long enough, or is not meant any more, is let be; a node that is given up is not.
bool Commands::is_void(const Wish& wish) {
  if (wish.kind == Kind::reclaim) return false;
  const bool is_back =
      wish.kind == Kind::presume && hosts_[wish.node]->state() != Host::State::down;
  return is_closing_ || is_back || now_ns() >= wish.until_ns;
}

void Commands::step() {
  if (!wish_ || now_ns() < acts_ns_) return;
  acts_ns_ = now_ns() + static_cast<int64_t>(random_.between(300, 3'000)) * kMillisecond;
  if (is_void(*wish_)) return wish_.reset();
  constexpr const char* kNames[] = {"deactivate", "deactivate --presume-sold", "reclaim",
                                    "rebuild"};
  const Status done = give(*wish_);
  note_(std::string("ledger ") + kNames[static_cast<size_t>(wish_->kind)] + " " +
        std::to_string(wish_->node) + ": " + (done ? "done" : done.error().message));
  if (done) wish_.reset();
}

Status Commands::give(const Wish& wish) {
  const std::unique_ptr<cluster::ScriptCaller> redis =
      redis_->make_caller(world_redis(plan_), kTimeoutMs);
  if (Status connected = redis->connect(); !connected) return connected;
  SimulatedRegistry registry(servers_.registry, kDesk);
  using cluster::Waiting;
  switch (wish.kind) {
    case Kind::deactivate:
      return cluster::take_out(*redis, registry, wish.node, Waiting::refuse);
    case Kind::presume:
      return cluster::take_out(*redis, registry, wish.node, Waiting::presume_sold);
    case Kind::rebuild:
      return cluster::finish_epoch(*redis);
    case Kind::reclaim:
      return give_reclaim(*hosts_[wish.node], *redis, registry);
  }
  return Ok{};
}

Status Commands::give_reclaim(Host& host, cluster::ScriptCaller& redis,
                              cluster::Registry& registry) {
  if (host.files().has_faults()) return Error{"the disk is not well"};
  Status done = host.reclaim(redis, registry);
  // An attempt that has failed may have come far enough for others to sell what has expired.
  truth_.look_at_log(host);
  if (!done) return done;
  const std::optional<LogContents> log = read_log(host);
  if (!log) return Error{"its log cannot be read"};
  for (const auto& [id, order] : log->states)
    if (order.state == "reserved")
      history_.broken("order " + std::to_string(id) + " is reserved, and its node has left");
  host.note_left(log->states);
  return Ok{};
}

// ---- --accept-loss

// A start that accepts the loss is refused all the same, and the operator has a copy; or it has all that lies in front of the damage.
// One that ends for another reason may have told the database already: the operator tries again until it has gone through.
void Commands::accept_loss(Host& host) {
  host.kill(false);
  host.files().save_copy();
  const std::optional<LogContents> before = read_log(host);
  const auto how = static_cast<Damage>(random_.below(kDamages));
  const std::optional<Damaged> damaged =
      before ? damage(host.files(), FileKind::segment, how, random_) : std::nullopt;
  if (!damaged) return;
  note_("node " + std::to_string(host.number()) + ": a loss");
  const auto on_accepted = [this, &host, before = *before, damaged = *damaged] {
    const std::vector<uint64_t> losable = before.orders_behind(damaged.path, damaged.offset);
    check_loss(host, damaged.what, before, losable, history_);
    host.note_loss();
    for (const uint64_t order : losable) history_.lose(order);
    operators_.note_loss(host);
    truth_.note_loss(host);
  };
  if (host.start_with_loss(on_accepted)) return;
  note_("it is refused: " + host.refusal());
  if (!host.awaits_loss()) host.files().restore_copy();
}

}  // namespace stampede::sim
