#include "cluster/redis_client.h"

#include <doctest/doctest.h>

#include <thread>

#include "../../servers/redis_cluster.h"
#include "../../servers/redis_sentinel.h"
#include "../../servers/relay.h"
#include "shared_redis.h"

namespace {

using namespace stampede;
using namespace stampede::cluster;
using servers::await;
using servers::empty_redis;
using servers::Forgery;
using servers::RedisSentinel;
using servers::Relay;
using Server = servers::RedisServer;

constexpr int64_t kLong = 30'000, kShort = 50;  // ms

RedisUrl url_of(const std::string& text) {
  Result<RedisUrl> url = parse_redis_url(text);
  REQUIRE_MESSAGE(url, text);
  return *url;
}

RedisUrl url_of(uint16_t port, const std::string& user = "") {
  return url_of("redis://" + user + "127.0.0.1:" + std::to_string(port));
}

template <typename Value>
std::string complaint(const Result<Value>& result) {
  return result ? "none" : result.error().message;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

std::string status_of(const Result<RedisValue>& answer) {
  return answer ? answer->values.at(0).text : "error: " + answer.error().message;
}

std::string connect_complaint(const RedisUrl& url) {
  RedisClient client(url, kLong);
  const std::string what = complaint(client.connect());
  if (what != "none") CHECK(!client.is_connected(0));
  return what;
}

}  // namespace

TEST_SUITE_BEGIN("cluster/redis_client");

TEST_CASE("a sound server is taken and scripts are answered") {
  Server& server = empty_redis();
  RedisClient client(url_of(server.port()), kLong);
  CHECK(complaint(client.connect()) == "none");
  CHECK(client.is_connected(0));
  CHECK(client.server(0).address == HostPort{.host = "127.0.0.1", .port = server.port()});
  CHECK(!client.has_moved());
  CHECK(status_of(client.call(0, Script::check, {"0"})) == "GONE");
  CHECK(status_of(client.call(0, Script::bump, {"65536", "0", "1"})) == "OK");
  Result<RedisValue> check = client.call(0, Script::check, {"0"});
  REQUIRE(check);
  CHECK(check->values.at(1).integer == 65536);
  CHECK(check->values.at(2).text == "R");
}

TEST_CASE("a name is resolved to an address") {
  RedisClient client(url_of("redis://localhost:" + std::to_string(empty_redis().port())), kLong);
  if (client.connect()) CHECK(client.server(0).address.host == "127.0.0.1");
  const std::string what = connect_complaint(url_of("redis://no-such-host.invalid:1"));
  CHECK(what.starts_with("no-such-host.invalid: "));
}

TEST_CASE("scripts that were flushed are loaded again unnoticed") {
  Server& server = empty_redis();
  RedisClient client(url_of(server.port()), kLong);
  REQUIRE(client.connect());
  REQUIRE(status_of(client.call(0, Script::check, {"0"})) == "GONE");
  CHECK(server.command({"SCRIPT", "FLUSH"}).line() == "OK");
  CHECK(status_of(client.call(0, Script::check, {"0"})) == "GONE");
  CHECK(client.is_connected(0));
}

TEST_CASE("a replica and a server that evicts and one that refuses are not taken") {
  Server& master = empty_redis();
  Server replica({.replica_of = master.port()});
  replica.await_in_sync(master);
  CHECK(contains(connect_complaint(url_of(replica.port())), "is a slave: name the master"));
  master.command({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  CHECK(contains(connect_complaint(url_of(master.port())),
                 "(maxmemory-policy allkeys-lru): set maxmemory-policy noeviction"));
  master.command({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  CHECK(connect_complaint(url_of(master.port())) == "none");
  replica.kill();
  CHECK(connect_complaint(url_of(replica.port())) ==
        "Redis at " + replica.address() + ": Connection refused");
}

TEST_CASE("the data of another database are another ledger") {
  Server& server = empty_redis();
  RedisClient first(url_of(server.port()), kLong);
  RedisClient third(url_of("redis://" + server.address() + "/3"), kLong);
  REQUIRE(first.connect());
  REQUIRE(third.connect());
  CHECK(status_of(third.call(0, Script::bump, {"65536", "0", "1"})) == "OK");
  CHECK(status_of(first.call(0, Script::check, {"0"})) == "GONE");
  CHECK(contains(connect_complaint(url_of("redis://" + server.address() + "/99")), "out of range"));
}

TEST_CASE("a password is given and a wrong one is said to be wrong and never shown") {
  Server server({.password = "secret"});
  CHECK(connect_complaint(url_of(server.port(), ":secret@")) == "none");
  const std::string without = connect_complaint(url_of(server.port()));
  CHECK(contains(without, "NOAUTH"));
  const std::string wrong = connect_complaint(url_of(server.port(), "sale:guess@"));
  CHECK(contains(wrong, "WRONGPASS"));
  CHECK(!contains(wrong, "guess"));
}

TEST_CASE("a user with the rights that the ledger names can do all that its scripts do") {
  const std::string rights(kRedisRights);
  Server server({.acl_users = {"sale on >word " + rights}});
  RedisClient client(url_of("redis://sale:word@" + server.address() + "/1"), kLong);
  REQUIRE(complaint(client.connect()) == "none");
  const std::vector<std::pair<Script, std::vector<std::string>>> calls = {
      {Script::bump, {"5", "0", "1"}},
      {Script::join, {"5", "*", "0", "0.0", "0", "1", "ticket", "100", "0"}},
      {Script::join, {"5", "0", "1", "1.1", "1", "1", "ticket", "0", "1", "0.1.0", "5", "1", "2"}},
      {Script::check, {"0", "1"}},
      {Script::alive, {"5"}},
      {Script::sync, {"5", "0", "1", "0.1.0", "1", "7", "ticket", "5", "1", "2", "3"}},
      {Script::supply, {"5", "ticket", "120"}},
      {Script::withdraw, {"5", "op", "ticket", "3"}},
      {Script::read, {"5", "0", "10"}},
      {Script::read_items, {"5", "ticket"}},
      {Script::fence, {"5", "0"}},
      {Script::settle, {"5", "0", "ticket", "0.1.0", "5", "5"}},
      {Script::missing, {"5"}},
      {Script::bump, {"6", "0", "1"}},
      {Script::purge, {"6", "10"}},
      {Script::purge, {"6", "10"}},
      {Script::finish, {}}};
  for (const auto& [script, arguments] : calls) {
    CAPTURE(name_of(script));
    CHECK(status_of(client.call(0, script, arguments)) == "OK");
  }
}

TEST_CASE("a user without one of the rights is told what to allow") {
  const std::string rights(kRedisRights);
  for (const std::string missing : {"+info ", "+script|load ", "+evalsha ", "+hmget "}) {
    CAPTURE(missing);
    std::string fewer = rights;
    const size_t at = fewer.find(missing);
    REQUIRE(at != fewer.npos);
    fewer.erase(at, missing.size());
    Server server({.acl_users = {"sale on >word " + fewer}});
    RedisClient client(url_of(server.port(), "sale:word@"), kLong);
    std::string what = complaint(client.connect());
    if (what == "none") what = complaint(client.call(0, Script::check, {"0"}));
    CHECK(contains(what, "ACL SETUSER sale " + rights));
    CHECK(!client.is_connected(0));
  }
  Server server({.acl_users = {"sale on >word ~other:* +@all"}});
  RedisClient client(url_of(server.port(), "sale:word@"), kLong);
  REQUIRE(client.connect());
  CHECK(contains(complaint(client.call(0, Script::check, {"0"})), "ACL SETUSER sale " + rights));
}

// ---- Sentinels

TEST_CASE("the master is the one that a sentinel names and the new one after a failover") {
  Server master;
  Server replica({.replica_of = master.port()});
  replica.await_in_sync(master);
  RedisSentinel sentinel(master);
  sentinel.await_replicas(1);
  // The first sentinel of the list is down.
  const std::string hosts = "127.0.0.1:1,127.0.0.1:" + std::to_string(sentinel.port());
  RedisClient client(url_of("redis+sentinel://" + hosts + "/sale"), kLong);
  REQUIRE(complaint(client.connect()) == "none");
  CHECK(client.server(0).address.port == master.port());
  CHECK(!client.has_moved());
  sentinel.force_failover();
  sentinel.await_master(replica);
  CHECK(client.has_moved());
  client.disconnect();
  CHECK(complaint(client.connect()) == "none");
  CHECK(client.server(0).address.port == replica.port());
  CHECK(!client.has_moved());
  CHECK(contains(connect_complaint(url_of("redis+sentinel://" + hosts + "/other")),
                 "knows no master named other"));
  sentinel.kill();
  CHECK(!client.has_moved());  // nobody says so
  CHECK(contains(connect_complaint(url_of("redis+sentinel://" + hosts + "/sale")),
                 "nobody can say where the ledger's master is"));
}

TEST_CASE("sentinels that want a password get theirs and not the ledger's") {
  Server master({.password = "data"});
  RedisSentinel sentinel(master);
  REQUIRE(sentinel.command({"ACL", "SETUSER", "watch", "on", ">guard", "allcommands"}).line() ==
          "OK");
  REQUIRE(sentinel.command({"ACL", "SETUSER", "default", "resetpass", ">word"}).line() == "OK");
  const std::string url =
      "redis+sentinel://:data@127.0.0.1:" + std::to_string(sentinel.port()) + "/sale";
  CHECK(connect_complaint(url_of(url + "?sentinel_password=word")) == "none");
  CHECK(connect_complaint(url_of(url + "?sentinel_user=watch&sentinel_password=guard")) == "none");
  CHECK(contains(connect_complaint(url_of(url)), "wants a password of its own"));
  CHECK(contains(connect_complaint(url_of(url)), "?sentinel_password="));
  const std::string wrong = connect_complaint(url_of(url + "?sentinel_password=guess"));
  CHECK(contains(wrong, "WRONGPASS"));
  CHECK(!contains(wrong, "guess"));
}

TEST_CASE("a Sentinel that was given as a Redis is named with the URL that it wants") {
  Server master;
  RedisSentinel sentinel(master);
  const std::string address = "127.0.0.1:" + std::to_string(sentinel.port());
  for (const char* database : {"", "/1"})
    CHECK(connect_complaint(url_of("redis://" + address + database)) ==
          "Redis at " + address + ": is a Sentinel: use redis+sentinel://" + address +
              "/MASTER with the name under which it watches the master");
  CHECK(contains(connect_complaint(url_of("redis+cluster://" + address)),
                 "if it is a Sentinel, use redis+sentinel://"));
}

// ---- Servers that answer late or nonsense

TEST_CASE("a server that hangs is an error and not a wait") {
  Server server;
  RedisClient client(url_of(server.port()), kShort);
  REQUIRE(await([&] { return bool(client.connect()); }));
  server.pause();
  CHECK(complaint(client.call(0, Script::check, {"0"})) ==
        "Redis at " + server.address() + ": no answer in time");
  CHECK(!client.is_connected(0));
  CHECK(complaint(client.call(0, Script::check, {"0"})) == "not connected");
  CHECK(contains(complaint(client.connect()), "no answer in time"));
  server.resume();
  CHECK(await([&] { return bool(client.connect()); }));
}

TEST_CASE("an interruption ends the wait for a server that hangs and all later ones") {
  constexpr int64_t kTooLong = 600'000;
  Server server;
  Relay relay(server.port());
  RedisClient client(url_of(relay.port()), kTooLong);
  REQUIRE(await([&] { return bool(client.connect()); }));
  relay.pause();
  std::thread stop([&] { client.interrupt(); });
  CHECK(contains(complaint(client.call(0, Script::check, {"0"})), "no answer"));
  CHECK_FALSE(client.connect());
  stop.join();
}

TEST_CASE("a sentinel that hangs is passed over") {
  Server master;
  RedisSentinel sentinel(master);
  Relay relay(sentinel.port());
  relay.pause();
  const std::string hosts =
      "127.0.0.1:" + std::to_string(relay.port()) + ",127.0.0.1:" + std::to_string(sentinel.port());
  RedisClient client(url_of("redis+sentinel://" + hosts + "/sale"), kShort);
  CHECK(await([&] { return bool(client.connect()); }));
}

TEST_CASE("what is no answer of a script is an error and ends the connection") {
  struct Nonsense {
    const char* name;
    Forgery forgery;
    int64_t timeout_ms;
  };
  const Nonsense all[] = {
      {"garbage", {servers::kGarbage, Forgery::Then::pass}, kLong},
      {"half a reply and then the end", {servers::kHalfReply, Forgery::Then::close}, kLong},
      {"half a reply and then silence", {servers::kHalfReply, Forgery::Then::silence}, kShort},
      {"a reply that is too large", {servers::kHugeBulk, Forgery::Then::silence}, kShort},
      {"nothing and then the end", {"", Forgery::Then::close}, kLong},
      {"a number", {":7\r\n", Forgery::Then::pass}, kLong},
      {"an empty array", {"*0\r\n", Forgery::Then::pass}, kLong},
      {"nil", {"$-1\r\n", Forgery::Then::pass}, kLong},
      {"an error", {"-LOADING Redis is loading\r\n", Forgery::Then::pass}, kLong},
      {"an unknown script twice", {"-NOSCRIPT No\r\n", Forgery::Then::close}, kLong},
  };
  Server& server = empty_redis();
  for (const Nonsense& nonsense : all) {
    CAPTURE(nonsense.name);
    Relay relay(server.port());
    RedisClient client(url_of(relay.port()), nonsense.timeout_ms);
    REQUIRE(await([&] {
      return client.connect() && status_of(client.call(0, Script::check, {"0"})) == "GONE";
    }));
    relay.forge_reply(1, nonsense.forgery);
    const std::string what = complaint(client.call(0, Script::check, {"0"}));
    CHECK(what.starts_with("Redis at 127.0.0.1:" + std::to_string(relay.port()) + ": "));
    CHECK(!client.is_connected(0));
  }
}

TEST_CASE("a reply that comes byte by byte has one deadline for all of them") {
  constexpr uint64_t kBytes = 60, kDeadlines = 10;
  Relay relay(empty_redis().port());
  RedisClient client(url_of(relay.port()), kShort);
  REQUIRE(await([&] {
    return client.connect() && status_of(client.call(0, Script::check, {"0"})) == "GONE";
  }));
  const uint64_t before = relay.counts().bytes_to_client;
  relay.forge_reply(1, {.bytes = "$100\r\n" + std::string(kBytes, 'x'),
                        .then = Forgery::Then::close,
                        .drip = std::chrono::milliseconds(kShort / 2)});
  CHECK(contains(complaint(client.call(0, Script::check, {"0"})), "no answer in time"));
  // Two bytes for each deadline that was waited for.
  CHECK(relay.counts().bytes_to_client - before < 2 * kDeadlines);
  CHECK(!client.is_connected(0));
}

TEST_CASE("a reply that never ends is an error at the bound of its bytes") {
  Relay relay(empty_redis().port());
  RedisClient client(url_of(relay.port()), kLong);
  REQUIRE(client.connect());
  REQUIRE(status_of(client.call(0, Script::check, {"0"})) == "GONE");
  const uint64_t before = relay.counts().bytes_to_client;
  relay.forge_reply(1, {"$536870912\r\n", Forgery::Then::flood});
  const std::string what = complaint(client.call(0, Script::check, {"0"}));
  CHECK_MESSAGE(contains(what, "a reply that is too large"), what);
  // And what the buffers of the sockets hold.
  CHECK(relay.counts().bytes_to_client - before < 256 * 1024 * 1024);
  CHECK(!client.is_connected(0));
}

TEST_CASE("a reply that is lost is an error and the script may have run") {
  Server& server = empty_redis();
  Relay relay(server.port());
  RedisClient client(url_of(relay.port()), kLong);
  REQUIRE(client.connect());
  REQUIRE(client.call(0, Script::bump, {"5", "0", "1"}));
  relay.swallow(servers::Direction::to_client, servers::Times::once);
  CHECK(!client.call(0, Script::bump, {"6", "0", "1"}));
  REQUIRE(client.connect());
  CHECK(status_of(client.call(0, Script::bump, {"6", "0", "1"})) == "STALE");
}

TEST_CASE("in a cluster a group is found again where its slot goes, and on its way there") {
  servers::RedisCluster cluster;
  const int slot = cluster.slot(std::string(state_key(0)));
  const size_t owner = cluster.owner(slot), other = (owner + 1) % cluster.size();
  RedisClient client(url_of("redis+cluster://127.0.0.1:1," + cluster.node(other).address()), kLong);
  REQUIRE(complaint(client.connect()) == "none");
  CHECK(client.server(0).address.port == cluster.node(owner).port());
  CHECK(status_of(client.call(0, Script::check, {"0"})) == "GONE");
  CHECK(status_of(client.call(0, Script::bump, {"65536", "0", "1"})) == "OK");
  cluster.begin_move(slot, other);
  CHECK(status_of(client.call(0, Script::check, {"0"})) == "OK");  // its state is not moved yet
  cluster.migrate_keys(slot, other);
  // What came along was counted by another Redis: it is not believed.
  CHECK(status_of(client.call(0, Script::check, {"0"})) == "ROLLED");
  CHECK(client.server(0).address.port == cluster.node(other).port());
  CHECK(client.server(0).is_asking);
  CHECK(status_of(client.call(0, Script::bump, {"131072", "0", "1"})) == "OK");
  CHECK(!client.has_moved());
  cluster.finish_move(slot, other);
  CHECK(status_of(client.call(0, Script::check, {"0"})) == "OK");
  // It has arrived, and needs no asking any more.
  CHECK(client.has_moved());
  client.disconnect();
  REQUIRE(complaint(client.connect()) == "none");
  CHECK(!client.server(0).is_asking);
  // Back again, without a step between: the old place says so and is left.
  cluster.move(slot, owner);
  CHECK(contains(status_of(client.call(0, Script::check, {"0"})), "MOVED"));
  for (uint32_t group = 0; group < client.group_count(); ++group)
    CHECK(client.is_connected(group) == (group != 0));
  REQUIRE(complaint(client.connect()) == "none");
  CHECK(client.server(0) == RedisServer{.address = {"127.0.0.1", cluster.node(owner).port()}});
  CHECK(status_of(client.call(0, Script::check, {"0"})) == "ROLLED");
}

TEST_CASE("a URL of another kind than the server is refused and the right one is named") {
  servers::RedisCluster cluster(1);
  const std::string in_cluster = cluster.node(0).address(), alone = empty_redis().address();
  CHECK(connect_complaint(url_of("redis+cluster://" + in_cluster)) == "none");
  CHECK(connect_complaint(url_of("redis://" + in_cluster)) ==
        "Redis at " + in_cluster + ": belongs to a Redis Cluster: use redis+cluster://");
  CHECK(contains(connect_complaint(url_of("redis+cluster://" + alone)),
                 "Redis at " + alone + ": belongs to no Redis Cluster: use redis://"));
  CHECK(contains(connect_complaint(url_of("redis+sentinel://" + alone + "/sale")),
                 "Redis at " + alone + ": is no Sentinel: name one, or use redis://"));
}

TEST_CASE("a cluster that stops as a whole when one master is gone is told how not to") {
  servers::RedisCluster cluster(1);
  RedisClient client(url_of("redis+cluster://" + cluster.node(0).address()), kLong);
  REQUIRE(complaint(client.connect()) == "none");
  cluster.node(0).command({"CLUSTER", "DELSLOTS", "0"});
  std::string status;
  REQUIRE(await([&] {
    status = status_of(client.call(0, Script::check, {"0"}));
    return contains(status, "CLUSTERDOWN");
  }));
  CHECK(contains(status, "with cluster-require-full-coverage no the masters"));
}

TEST_CASE("a cluster's masters share the groups and one that is down takes only its own along") {
  servers::RedisCluster cluster(3, {.more = {"cluster-require-full-coverage no"}});
  RedisClient client(url_of("redis+cluster://" + cluster.node(0).address()), kLong);
  REQUIRE(complaint(client.connect()) == "none");
  REQUIRE(client.group_count() == 16);
  std::vector<size_t> owners;
  for (uint32_t group = 0; group < client.group_count(); ++group) {
    owners.push_back(cluster.owner(cluster.slot(std::string(state_key(group)))));
    CHECK(client.server(group).address.port == cluster.node(owners[group]).port());
    CHECK(status_of(client.call(group, Script::bump, {"65536", "0", "1"})) == "OK");
  }
  for (size_t node = 0; node < cluster.size(); ++node) {
    CHECK(std::count(owners.begin(), owners.end(), node) >= 4);
    CHECK(cluster.node(node).command({"DBSIZE"}).integer ==
          std::count(owners.begin(), owners.end(), node));
  }
  cluster.node(2).kill();
  for (uint32_t group = 0; group < client.group_count(); ++group) {
    const bool is_down = owners[group] == 2;
    CHECK(bool(client.call(group, Script::check, {"0"})) == !is_down);
    CHECK(client.is_connected(group) == !is_down);
  }
  CHECK(contains(complaint(client.connect()), "refused"));
  for (uint32_t group = 0; group < client.group_count(); ++group)
    CHECK(client.is_connected(group) == (owners[group] != 2));
}

TEST_CASE("the masters themselves say where the others are when the hosts of the URL are gone") {
  servers::RedisCluster cluster(3, {.more = {"cluster-require-full-coverage no"}});
  const size_t replica = cluster.add_replica(0);
  RedisClient client(url_of("redis+cluster://" + cluster.node(0).address()), kLong);
  REQUIRE(complaint(client.connect()) == "none");
  cluster.node(0).kill();
  cluster.fail_over(replica);
  CHECK(await([&] {
    for (uint32_t group = 0; group < client.group_count(); ++group)
      (void)client.call(group, Script::check, {"0"});
    return bool(client.connect());
  }));
}

TEST_SUITE_END();
