#include "redis_sentinel.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <utility>

#include "free_port.h"

namespace stampede::servers {
namespace {

// A reply of names and values in turn: the value of one name, "" if it is not there.
std::string value_of(const RedisReply& pairs, const std::string& name) {
  for (size_t i = 0; i + 1 < pairs.elements.size(); i += 2)
    if (pairs.elements[i].text == name) return pairs.elements[i + 1].text;
  return "";
}

}  // namespace

RedisSentinel::RedisSentinel(const RedisServer& master, SentinelOptions options)
    : options_(std::move(options)), port_(free_port()), client_(port_) {
  const std::string& name = options_.master_name;
  std::string text = "bind 127.0.0.1\nprotected-mode no\nport " + std::to_string(port_) + "\n";
  text += "dir " + scratch_.path() + "\n";
  text += "logfile " + scratch_.path("sentinel.log") + "\n";
  text += "sentinel monitor " + name + " 127.0.0.1 " + std::to_string(master.port()) + " 1\n";
  text += "sentinel down-after-milliseconds " + name + " " +
          std::to_string(options_.down_after.count()) + "\n";
  text += "sentinel failover-timeout " + name + " 2000\n";
  if (!master.password().empty())
    text += "sentinel auth-pass " + name + " " + master.password() + "\n";
  write_file(scratch_.path("sentinel.conf"), text);
  start();
}

void RedisSentinel::start() {
  process_ = std::make_unique<Process>(Arguments{"redis-sentinel", scratch_.path("sentinel.conf")},
                                       scratch_.path("stderr"));
  await([&] { return !process_->is_running() || command({"PING"}).line() == "PONG"; });
  INFO(log());
  REQUIRE(process_->is_running());
  // Replicas and roles are learned from INFO, by default every ten seconds; an old master that is back
  // is told its place after four periods of publishing, by default two seconds; and a slow machine
  // must not drive it into TILT, in which it does nothing for half a minute. A replica that has not
  // answered for five periods of pings is no candidate, so these are not made short.
  RedisReply set = command({"SENTINEL", "DEBUG", "INFO-PERIOD", "100", "PING-PERIOD", "500",
                            "PUBLISH-PERIOD", "100", "TILT-TRIGGER", "60000"});
  REQUIRE(set.line() == "OK");
}

uint16_t RedisSentinel::master_port() {
  RedisReply address = command({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master_name()});
  if (address.elements.size() != 2) return 0;
  return static_cast<uint16_t>(std::stoul(address.elements[1].text));
}

size_t RedisSentinel::good_replica_count() {
  size_t count = 0;
  for (const RedisReply& replica : command({"SENTINEL", "REPLICAS", master_name()}).elements)
    // Nothing but "slave": no s_down, no disconnected.
    count +=
        value_of(replica, "flags") == "slave" && value_of(replica, "master-link-status") == "ok";
  return count;
}

void RedisSentinel::await_replicas(size_t count) {
  bool are_known = await([&] { return good_replica_count() >= count; });
  INFO(log());
  REQUIRE(are_known);
}

void RedisSentinel::force_failover() {
  REQUIRE(command({"SENTINEL", "FAILOVER", master_name()}).line() == "OK");
}

void RedisSentinel::await_master(RedisServer& promoted) {
  bool is_master =
      await([&] { return master_port() == promoted.port() && promoted.info("role") == "master"; });
  INFO(log());
  REQUIRE(is_master);
}

void RedisSentinel::kill() {
  process_->signal(SIGKILL);
  REQUIRE(process_->wait(kPatience).has_value());
  client_.disconnect();
}

void RedisSentinel::restart() {
  if (process_->is_running()) kill();
  start();
}

}  // namespace stampede::servers
