#include "weather.h"

#include <algorithm>
#include <iterator>

#include "books.h"
#include "damage.h"

namespace stampede::sim {
namespace {

constexpr int64_t kNoticedNs = 5 * kSecond;  // that the split is over

}  // namespace

Weather::Weather(const Plan& plan, Servers& servers, Hosts& hosts, History& history,
                 Commands& commands, Random random, std::function<void(const std::string&)> note)
    : plan_(plan),
      servers_(servers),
      hosts_(hosts),
      history_(history),
      commands_(commands),
      random_(random),
      note_(std::move(note)),
      is_frozen_(plan.nodes) {
  begins_ns_.fill(INT64_MAX);
  ends_ns_.fill(INT64_MAX);
  for (size_t i = 0; i < kMishapCount; ++i)
    if (plan_.has(static_cast<Mishap>(i)))
      begins_ns_[i] =
          servers_.clock.now().boot_ns +
          static_cast<int64_t>(random_.below(static_cast<uint64_t>(2 * plan_.every_ns[i])));
}

void Weather::pass() {
  const int64_t now_ns = servers_.clock.now().boot_ns;
  for (size_t i = 0; i < kMishapCount; ++i) {
    if (now_ns >= ends_ns_[i]) {
      ends_ns_[i] = INT64_MAX;
      end(static_cast<Mishap>(i));
    }
    if (now_ns < begins_ns_[i]) continue;
    begins_ns_[i] =
        now_ns + 1 +
        static_cast<int64_t>(random_.below(static_cast<uint64_t>(2 * plan_.every_ns[i])));
    begin(static_cast<Mishap>(i));
  }
}

int64_t Weather::next_ns() const {
  return std::min(*std::ranges::min_element(begins_ns_), *std::ranges::min_element(ends_ns_));
}

void Weather::clear_up() {
  begins_ns_.fill(INT64_MAX);
  ends_ns_.fill(INT64_MAX);
  for (size_t i = 0; i < kMishapCount; ++i) end(static_cast<Mishap>(i));
}

bool Weather::is_split() {
  const int64_t now_ns = servers_.clock.now().boot_ns;
  // A stream whose reports are lost stands in Redis as it was, and others sell what has come free since: each of the two was true,
  // at another moment.
  const bool loses_reports = ends_ns_[static_cast<size_t>(Mishap::redis_network)] != INT64_MAX;
  if (loses_reports) split_until_ns_ = now_ns + kNoticedNs;
  // What a node holds that was taken out counts as sold, until it has noticed and begun an epoch of its own.
  for (const auto& [node, member] : servers_.registry.rows.members)
    if (member.state == cluster::MemberState::inactive) split_until_ns_ = now_ns + kNoticedNs;
  return now_ns < split_until_ns_;
}

int64_t Weather::draw_absence_ns(Host& host) {
  if (const int64_t absence_ns = host.take_absence_ns(); absence_ns > 0) return absence_ns;
  if (plan_.has(Mishap::absence) && random_.chance(0.3))
    return static_cast<int64_t>(random_.between(5, 60)) * kSecond;
  return static_cast<int64_t>(random_.below(3'000)) * kMillisecond;
}

// Misfortunes seldom come singly: what is on its way when one begins shows what the other does to it.
void Weather::may_follow(Mishap mishap, int64_t within_ns) {
  if (!plan_.has(mishap) || random_.chance(0.5)) return;
  int64_t& begins_ns = begins_ns_[static_cast<size_t>(mishap)];
  begins_ns = std::min(begins_ns,
                       servers_.clock.now().boot_ns +
                           static_cast<int64_t>(random_.below(static_cast<uint64_t>(within_ns))));
}

void Weather::lasts(Mishap mishap) {
  note_("begins: " + std::string(name_of(mishap)));
  ends_ns_[static_cast<size_t>(mishap)] =
      servers_.clock.now().boot_ns +
      static_cast<int64_t>(random_.between(10, 10'000)) * kMillisecond;
}

void Weather::begin(Mishap mishap) {
  Host& host = *hosts_[random_.below(hosts_.size())];
  switch (mishap) {
    case Mishap::kill:
    case Mishap::power_cut:
    case Mishap::stop:
    case Mishap::reshard:
      return end_process(mishap, host);
    case Mishap::freeze:
      is_frozen_[host.number()] = true;
      return lasts(mishap);
    case Mishap::slow_disk:
    case Mishap::disk_error:
    case Mishap::disk_full:
      return harm_disk(mishap, host);
    case Mishap::database_away:
    case Mishap::database_unknown:
      return harm_database(mishap);
    case Mishap::wall_clock: {
      const int64_t by_s = static_cast<int64_t>(random_.below(7'200)) - 3'600;
      note_("the wall clock is set by " + std::to_string(by_s) + " s");
      return servers_.clock.step_wall(by_s * kSecond);
    }
    case Mishap::redis_dies:
    case Mishap::redis_fails_over:
    case Mishap::redis_network:
      return harm_redis(mishap);
    case Mishap::registry_away:
      return harm_registry();
    case Mishap::damage:
      return rot(host);
    case Mishap::old_copy:
      return bring_old_copy(host);
    case Mishap::deactivate:
    case Mishap::presume:
    case Mishap::reclaim:
    case Mishap::rebuild:
    case Mishap::accept_loss:
      return give_command(mishap, host);
    case Mishap::absence:
    case Mishap::resets:
    case Mishap::slow_readers:
    case Mishap::pieces:
    case Mishap::impatient:
    case Mishap::operators:
    case Mishap::limits:
    case Mishap::links:
    case Mishap::tickets:
    case Mishap::blocks:
    case Mishap::strangers:
    case Mishap::reloads:
    case Mishap::put:
    case Mishap::groups:
    case Mishap::polls:
    case Mishap::count:
      return;  // others do these
  }
}

void Weather::end_process(Mishap mishap, Host& host) {
  if (mishap == Mishap::reshard) host.set_shards(static_cast<uint32_t>(random_.between(1, 4)));
  const bool is_orderly = mishap == Mishap::stop || mishap == Mishap::reshard;
  if (is_orderly && is_running(host)) return host.begin_stop();
  if (!is_orderly && host.state() != Host::State::down) host.kill(mishap == Mishap::power_cut);
}

// A start on the damaged directory is refused, or has everything that was acknowledged. Then the file is as it was before.
void Weather::rot(Host& host) {
  if (!is_running(host)) return;
  host.kill(false);
  host.files().save_copy();
  constexpr FileKind kKinds[] = {FileKind::segment, FileKind::segment, FileKind::snapshot,
                                 FileKind::manifest};
  const FileKind kind = kKinds[random_.below(std::size(kKinds))];
  const auto how = static_cast<Damage>(random_.below(kDamages));
  if (const std::optional<Damaged> damaged = damage(host.files(), kind, how, random_)) {
    const std::string& what = damaged->what;
    note_("node " + std::to_string(host.number()) + ": damaged, " +
          std::to_string(static_cast<int>(how)));
    if (host.start())
      check_acknowledged(host, what, history_);
    else if (host.exit_code() != kExitLogDamaged && !plan_.has(Mishap::disk_error) &&
             !plan_.has(Mishap::disk_full))
      history_.broken("a start with " + what + " ended with " + std::to_string(host.exit_code()) +
                      " " + host.refusal());
    if (host.state() != Host::State::down) host.kill(false);
  }
  host.files().restore_copy();
}

// A start on an older copy is refused, or has everything that the database has. Then the directory is what it was. Without a
// database that answers there is no witness.
void Weather::bring_old_copy(Host& host) {
  if (!is_running(host)) return;
  using Copy = MachineFiles::Copy;
  MachineFiles& files = host.files();
  const std::string node = "node " + std::to_string(host.number());
  if (!files.has_copy(Copy::older) || random_.chance(0.2)) {
    note_(node + ": its directory is copied");
    return files.save_copy(Copy::older);
  }
  host.kill(false);
  files.save_copy();
  files.restore_copy(Copy::older);
  note_(node + ": an older copy of its directory");
  if (host.start()) {
    check_drained(host, servers_, history_);
    host.kill(false);
  }
  files.restore_copy();
}

void Weather::harm_disk(Mishap mishap, Host& host) {
  MachineFiles& files = host.files();
  if (mishap == Mishap::slow_disk) {
    const int64_t ns = static_cast<int64_t>(random_.between(1, 8'000)) * kMillisecond;
    may_follow(Mishap::power_cut, ns);
    return files.stall_writes(ns);
  }
  if (mishap == Mishap::disk_full) {
    files.fill_up(random_.chance(0.8) ? ENOSPC : EDQUOT, random_.below(1 << 20));
    return lasts(mishap);
  }
  note_("a call of node " + std::to_string(host.number()) + " to its disk will fail");
  may_follow(Mishap::kill, 5 * kSecond);
  constexpr Call kCalls[] = {Call::open,           Call::create,  Call::write,  Call::write,
                             Call::write,          Call::sync,    Call::rename, Call::remove,
                             Call::sync_directory, Call::allocate};
  const int errors[] = {EIO, ENOSPC, EIO};
  files.fail({.call = kCalls[random_.below(std::size(kCalls))],
              .skip = static_cast<uint32_t>(random_.below(6)),
              .error = errors[random_.below(3)]});
  lasts(mishap);
}

void Weather::harm_database(Mishap mishap) {
  if (mishap == Mishap::database_away) servers_.database.set_away(true);
  if (mishap == Mishap::database_unknown) servers_.database.set_unknown_chance(0.3);
  lasts(mishap);
}

void Weather::harm_redis(Mishap mishap) {
  RedisWorld& redis = servers_.redis;
  if (mishap == Mishap::redis_network) {
    redis.weather.request_lost = static_cast<uint32_t>(random_.below(200));
    redis.weather.reply_lost = static_cast<uint32_t>(random_.below(200));
    redis.weather.request_late = static_cast<uint32_t>(random_.below(200));
    redis.weather.connection_ended = static_cast<uint32_t>(random_.below(100));
    if (random_.chance(0.3))
      redis.set_reachable(static_cast<uint32_t>(random_.below(hosts_.size())),
                          random_.pick(std::span(servers_.pairs)).master, false);
    return lasts(mishap);
  }
  if (mishap == Mishap::redis_fails_over) return fail_over();
  kill_redis();
}

// It is back at once, or after a while in which its groups have nobody.
void Weather::kill_redis() {
  note_("Redis dies");
  RedisWorld& redis = servers_.redis;
  const uint32_t master = random_.pick(std::span(servers_.pairs)).master;
  if (random_.chance(0.3)) redis.save_copy(master);
  redis.kill(master);
  if (random_.chance(0.3)) return lasts(Mishap::redis_dies);
  using Contents = RedisWorld::Contents;
  constexpr Contents kContents[] = {Contents::none, Contents::as_left, Contents::old_copy};
  redis.restart(master, kContents[random_.below(3)]);
}

// The replica becomes the master, with what has reached it; the old one goes on, for those who still speak to it, or follows.
void Weather::fail_over() {
  end(Mishap::redis_fails_over);
  note_("Redis fails over");
  RedisWorld& redis = servers_.redis;
  const auto number = static_cast<uint32_t>(random_.below(servers_.pairs.size()));
  Servers::Pair& pair = servers_.pairs[number];
  redis.promote(pair.replica);
  std::swap(pair.master, pair.replica);
  if (random_.chance(0.7)) {
    servers_.appoint(number);
    if (redis.is_running(pair.replica)) redis.follow(pair.replica, pair.master);
    return;
  }
  // Not everybody hears of it at once.
  for (uint32_t node = 0; node < hosts_.size(); ++node)
    if (random_.chance(0.5)) servers_.appoint(number, node);
  lasts(Mishap::redis_fails_over);
  split_until_ns_ = ends_ns_[static_cast<size_t>(Mishap::redis_fails_over)] + kNoticedNs;
}

void Weather::give_command(Mishap mishap, Host& host) {
  if (mishap == Mishap::rebuild) return commands_.rebuild();
  if (mishap == Mishap::deactivate) return commands_.deactivate(host);
  if (mishap == Mishap::reclaim) return commands_.reclaim(host);
  if (mishap == Mishap::accept_loss && is_running(host)) return commands_.accept_loss(host);
  if (mishap != Mishap::presume || !is_running(host)) return;
  commands_.presume(host);
  for (const Servers::Pair& pair : servers_.pairs) {
    servers_.redis.kill(pair.master);
    servers_.redis.restart(pair.master, RedisWorld::Contents::none);
  }
}

void Weather::harm_registry() {
  RegistryDatabase& registry = servers_.registry;
  registry.is_away = random_.chance(0.4);
  for (uint32_t node = 0; node < hosts_.size(); ++node)
    if (random_.chance(0.3)) registry.cut_off.insert(node);
  if (random_.chance(0.5))
    registry.commit = [this](uint32_t) {
      using Commit = RegistryDatabase::Commit;
      if (!random_.chance(0.3)) return Commit::done;
      return random_.chance(0.5) ? Commit::unknown_and_done : Commit::unknown_and_not_done;
    };
  lasts(Mishap::registry_away);
}

void Weather::end(Mishap mishap) {
  if (mishap == Mishap::freeze) is_frozen_.assign(is_frozen_.size(), false);
  if (mishap == Mishap::disk_full || mishap == Mishap::disk_error)
    for (const auto& host : hosts_) host->files().heal();
  if (mishap == Mishap::database_away) servers_.database.set_away(false);
  if (mishap == Mishap::database_unknown) servers_.database.set_unknown_chance(0);
  if (mishap == Mishap::registry_away) {
    servers_.registry.is_away = false;
    servers_.registry.cut_off.clear();
    servers_.registry.commit = nullptr;
  }
  if (plan_.is_shared) end_of_redis(mishap);
}

// One whose replica has taken its place meanwhile follows that.
void Weather::bring_redis_back() {
  RedisWorld& redis = servers_.redis;
  using Contents = RedisWorld::Contents;
  for (const Servers::Pair& pair : servers_.pairs)
    for (const uint32_t server : {pair.master, pair.replica}) {
      if (redis.is_running(server)) continue;
      redis.restart(server, random_.chance(0.5) ? Contents::none : Contents::as_left);
      if (server == pair.replica) redis.follow(server, pair.master);
    }
}

void Weather::end_of_redis(Mishap mishap) {
  RedisWorld& redis = servers_.redis;
  if (mishap == Mishap::redis_dies) bring_redis_back();
  if (mishap == Mishap::redis_network) {
    redis.weather = {};
    for (uint32_t node = 0; node < hosts_.size(); ++node)
      for (uint32_t server = 0; server < redis.server_count(); ++server)
        redis.set_reachable(node, server, true);
  }
  if (mishap != Mishap::redis_fails_over) return;
  for (uint32_t i = 0; i < servers_.pairs.size(); ++i) {
    const Servers::Pair& pair = servers_.pairs[i];
    servers_.appoint(i);
    if (redis.is_running(pair.replica) && redis.is_master(pair.replica))
      redis.follow(pair.replica, pair.master);
  }
}

}  // namespace stampede::sim
