#include "weather.h"

#include <algorithm>

namespace stampede::sim {

Weather::Weather(const Plan& plan, Servers& servers, Hosts& hosts, Random random,
                 std::function<void(const std::string&)> note)
    : plan_(plan),
      servers_(servers),
      hosts_(hosts),
      random_(random),
      note_(std::move(note)),
      is_frozen_(plan.nodes) {
  begins_ns_.fill(INT64_MAX);
  ends_ns_.fill(INT64_MAX);
  for (size_t i = 0; i < kFaultCount; ++i)
    if (plan_.has(static_cast<Fault>(i)))
      begins_ns_[i] =
          servers_.clock.now().boot_ns +
          static_cast<int64_t>(random_.below(static_cast<uint64_t>(2 * plan_.every_ns[i])));
}

void Weather::pass() {
  const int64_t now_ns = servers_.clock.now().boot_ns;
  for (size_t i = 0; i < kFaultCount; ++i) {
    if (now_ns >= ends_ns_[i]) {
      ends_ns_[i] = INT64_MAX;
      end(static_cast<Fault>(i));
    }
    if (now_ns < begins_ns_[i]) continue;
    begins_ns_[i] =
        now_ns + 1 +
        static_cast<int64_t>(random_.below(static_cast<uint64_t>(2 * plan_.every_ns[i])));
    begin(static_cast<Fault>(i));
  }
}

int64_t Weather::next_ns() const {
  return std::min(*std::ranges::min_element(begins_ns_), *std::ranges::min_element(ends_ns_));
}

void Weather::clear_up() {
  begins_ns_.fill(INT64_MAX);
  ends_ns_.fill(INT64_MAX);
  for (size_t i = 0; i < kFaultCount; ++i) end(static_cast<Fault>(i));
}

int64_t Weather::draw_absence_ns() {
  if (plan_.has(Fault::absence) && random_.chance(0.3))
    return static_cast<int64_t>(random_.between(5, 60)) * kSecond;
  return static_cast<int64_t>(random_.below(3'000)) * kMillisecond;
}

void Weather::lasts(Fault fault) {
  note_("begins: " + std::string(name_of(fault)));
  ends_ns_[static_cast<size_t>(fault)] =
      servers_.clock.now().boot_ns +
      static_cast<int64_t>(random_.between(10, 10'000)) * kMillisecond;
}

void Weather::begin(Fault fault) {
  Host& host = *hosts_[random_.below(hosts_.size())];
  switch (fault) {
    case Fault::kill:
    case Fault::power_cut:
    case Fault::stop:
    case Fault::reshard:
      return end_process(fault, host);
    case Fault::freeze:
      is_frozen_[host.number()] = true;
      return lasts(fault);
    case Fault::slow_disk:
    case Fault::disk_error:
    case Fault::disk_full:
      return harm_disk(fault, host);
    case Fault::database_away:
    case Fault::database_unknown:
      return harm_database(fault);
    case Fault::wall_clock: {
      const int64_t by_s = static_cast<int64_t>(random_.below(7'200)) - 3'600;
      note_("the wall clock is set by " + std::to_string(by_s) + " s");
      return servers_.clock.step_wall(by_s * kSecond);
    }
    case Fault::redis_dies:
    case Fault::redis_fails_over:
    case Fault::redis_network:
      return harm_redis(fault);
    case Fault::registry_away:
      return harm_registry();
    case Fault::absence:
    case Fault::resets:
    case Fault::slow_readers:
    case Fault::pieces:
    case Fault::impatient:
    case Fault::operators:
    case Fault::count:
      return;  // others do these
  }
}

void Weather::end_process(Fault fault, Host& host) {
  if (fault == Fault::reshard) host.set_shards(static_cast<uint32_t>(random_.between(1, 4)));
  const bool is_orderly = fault == Fault::stop || fault == Fault::reshard;
  if (is_orderly && is_running(host)) return host.begin_stop();
  if (!is_orderly && host.state() != Host::State::down) host.kill(fault == Fault::power_cut);
}

void Weather::harm_disk(Fault fault, Host& host) {
  if (fault == Fault::slow_disk) {
    host.set_disk_polls(static_cast<uint32_t>(random_.between(2, 300)));
    return lasts(fault);
  }
  if (fault == Fault::disk_full) {
    host.set_disk_full(true);
    return lasts(fault);
  }
  if (!is_running(host)) return;
  note_("a write of node " + std::to_string(host.number()) + " will fail");
  SimMachine& machine = host.machine();
  machine.disk(static_cast<uint32_t>(random_.below(machine.disks()))).fail_next(EIO);
}

void Weather::harm_database(Fault fault) {
  if (fault == Fault::database_away) servers_.database.set_away(true);
  if (fault == Fault::database_unknown) servers_.database.set_unknown_chance(0.3);
  lasts(fault);
}

void Weather::harm_redis(Fault fault) {
  RedisWorld& redis = servers_.redis;
  if (fault == Fault::redis_network) {
    redis.weather.request_lost = static_cast<uint32_t>(random_.below(200));
    redis.weather.reply_lost = static_cast<uint32_t>(random_.below(200));
    redis.weather.request_late = static_cast<uint32_t>(random_.below(200));
    redis.weather.connection_ended = static_cast<uint32_t>(random_.below(100));
    if (random_.chance(0.3))
      redis.set_reachable(static_cast<uint32_t>(random_.below(hosts_.size())), master_, false);
    return lasts(fault);
  }
  if (fault == Fault::redis_fails_over) return fail_over();
  note_("Redis dies");
  if (random_.chance(0.3)) redis.save_copy(master_);
  redis.kill(master_);
  using Contents = RedisWorld::Contents;
  constexpr Contents kContents[] = {Contents::none, Contents::as_left, Contents::old_copy};
  redis.restart(master_, kContents[random_.below(3)]);
}

// The replica becomes the master, with what has reached it; the old one goes on, for those who still speak to it, or follows.
void Weather::fail_over() {
  note_("Redis fails over");
  RedisWorld& redis = servers_.redis;
  redis.promote(replica_);
  std::swap(master_, replica_);
  if (random_.chance(0.7)) {
    redis.appoint(master_);
    redis.follow(replica_, master_);
    return;
  }
  // Not everybody hears of it at once.
  for (uint32_t node = 0; node < hosts_.size(); ++node)
    if (random_.chance(0.5)) redis.appoint(master_, RedisWorld::kEverybody, node);
  lasts(Fault::redis_fails_over);
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
  lasts(Fault::registry_away);
}

void Weather::end(Fault fault) {
  if (fault == Fault::freeze) is_frozen_.assign(is_frozen_.size(), false);
  if (fault == Fault::slow_disk)
    for (const auto& host : hosts_) host->set_disk_polls(1);
  if (fault == Fault::disk_full)
    for (const auto& host : hosts_) host->set_disk_full(false);
  if (fault == Fault::disk_error)
    for (const auto& host : hosts_) host->forgive_disks();
  if (fault == Fault::database_away) servers_.database.set_away(false);
  if (fault == Fault::database_unknown) servers_.database.set_unknown_chance(0);
  if (fault == Fault::registry_away) {
    servers_.registry.is_away = false;
    servers_.registry.cut_off.clear();
    servers_.registry.commit = nullptr;
  }
  if (!plan_.is_shared) return;
  if (fault == Fault::redis_network) {
    servers_.redis.weather = {};
    for (uint32_t node = 0; node < hosts_.size(); ++node)
      for (const uint32_t server : {master_, replica_})
        servers_.redis.set_reachable(node, server, true);
  }
  if (fault == Fault::redis_fails_over) {
    servers_.redis.appoint(master_);
    servers_.redis.follow(replica_, master_);
  }
}

}  // namespace stampede::sim
