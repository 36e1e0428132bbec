#include "../../servers/redis_server.h"

#include <doctest/doctest.h>

#include "../../servers/redis_cluster.h"
#include "../../servers/redis_sentinel.h"
#include "../../servers/relay.h"

using namespace stampede::servers;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kShort{50};

std::string ask(RedisServer& server, const std::vector<std::string>& words) {
  return server.command(words).line();
}

RedisOptions replica_of(uint16_t port) {
  RedisOptions options;
  options.replica_of = port;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("servers/redis_server");

TEST_CASE("replies are readable") {
  RedisServer server;
  CHECK(ask(server, {"SET", "k", "1"}) == "OK");
  CHECK(ask(server, {"INCR", "k"}) == "2");
  CHECK(ask(server, {"MGET", "k", "none"}) == "[2, nil]");
  CHECK(ask(server, {"INCR"}) == "-ERR wrong number of arguments for 'incr' command");
}

TEST_CASE("options are what the server says it has") {
  RedisServer server({.append_only = AppendOnly::always,
                      .maxmemory_policy = "allkeys-lru",
                      .is_replica_read_only = false,
                      .databases = 3,
                      .more = {"timeout 17"}});
  for (auto [name, value] : {std::pair{"appendfsync", "always"},
                             {"appendonly", "yes"},
                             {"maxmemory-policy", "allkeys-lru"},
                             {"replica-read-only", "no"},
                             {"databases", "3"},
                             {"timeout", "17"}})
    CHECK(server.command({"CONFIG", "GET", name}).elements.at(1).text == value);
}

TEST_CASE("a password and users of an ACL are asked for") {
  RedisServer server({.password = "secret", .acl_users = {"sale on >word ~s:* +get"}});
  CHECK(ask(server, {"PING"}) == "PONG");
  RedisClient stranger(server.port());
  CHECK(stranger.command({"PING"}).line() == "-NOAUTH Authentication required.");
  RedisClient liar(server.port(), {.user = "", .password = "wrong"});
  CHECK(liar.command({"PING"}).line().starts_with("-WRONGPASS"));
  RedisClient sale(server.port(), {.user = "sale", .password = "word"});
  CHECK(sale.command({"GET", "s:1"}).line() == "nil");
  CHECK(sale.command({"GET", "t:1"}).line().starts_with("-NOPERM"));
}

TEST_CASE("a paused server answers nothing until it resumes") {
  RedisServer server;
  server.pause();
  RedisClient client(server.port(), {.user = "", .password = "", .patience = kShort});
  CHECK(!client.command({"PING"}).has_come());
  server.resume();
  CHECK(ask(server, {"PING"}) == "PONG");
}

TEST_CASE("after a kill the append-only file is read again on the same port") {
  RedisServer server({.append_only = AppendOnly::always});
  CHECK(ask(server, {"SET", "k", "kept"}) == "OK");
  server.kill();
  CHECK(!server.is_running());
  CHECK(ask(server, {"PING"}) == "(no reply: Connection refused)");
  server.restart();
  CHECK(ask(server, {"GET", "k"}) == "kept");
  server.restart(Data::wiped);
  CHECK(ask(server, {"GET", "k"}) == "nil");
}

TEST_CASE("without an append-only file a restart is empty") {
  RedisServer server;
  CHECK(ask(server, {"SET", "k", "v"}) == "OK");
  server.shut_down();
  CHECK(!server.is_running());
  server.restart();
  CHECK(ask(server, {"GET", "k"}) == "nil");
}

TEST_CASE("a replica follows and refuses writes and goes its own way once promoted") {
  RedisServer master({.password = "secret"});
  RedisServer replica({.password = "secret", .replica_of = master.port()});
  CHECK(ask(master, {"SET", "k", "1"}) == "OK");
  replica.await_in_sync(master);
  CHECK(ask(replica, {"GET", "k"}) == "1");
  CHECK(replica.info("role") == "slave");
  CHECK(ask(replica, {"SET", "k", "2"}) ==
        "-READONLY You can't write against a read only replica.");
  replica.promote();
  CHECK(replica.info("role") == "master");
  CHECK(ask(replica, {"SET", "k", "2"}) == "OK");
  CHECK(ask(master, {"GET", "k"}) == "1");
  replica.replicate(master.port());
  replica.await_in_sync(master);
  CHECK(ask(replica, {"GET", "k"}) == "1");
}

TEST_CASE("a replica behind a paused relay lags until the relay resumes") {
  RedisServer master;
  Relay relay(master.port());
  RedisServer replica(replica_of(relay.port()));
  CHECK(ask(master, {"SET", "k", "old"}) == "OK");
  replica.await_in_sync(master);
  relay.pause();
  CHECK(ask(master, {"SET", "k", "new"}) == "OK");
  CHECK(ask(replica, {"GET", "k"}) == "old");
  relay.resume();
  replica.await_in_sync(master);
  CHECK(ask(replica, {"GET", "k"}) == "new");
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("servers/redis_sentinel");

TEST_CASE("a failover that is forced moves the mastership to the replica") {
  RedisServer master;
  RedisServer replica(replica_of(master.port()));
  replica.await_in_sync(master);
  RedisSentinel sentinel(master);
  CHECK(sentinel.master_port() == master.port());
  sentinel.await_replicas(1);
  sentinel.force_failover();
  sentinel.await_master(replica);
  CHECK(await([&] { return master.info("role") == "slave"; }));
}

TEST_CASE("a master that dies is replaced and follows when it is back") {
  RedisServer master({.password = "secret"});
  RedisServer replica({.password = "secret", .replica_of = master.port()});
  CHECK(ask(master, {"SET", "k", "v"}) == "OK");
  replica.await_in_sync(master);
  RedisSentinel sentinel(master);
  sentinel.await_replicas(1);
  master.kill();
  sentinel.await_master(replica);
  CHECK(ask(replica, {"GET", "k"}) == "v");
  sentinel.restart();
  CHECK(sentinel.master_port() == replica.port());
  master.restart();
  CHECK(await([&] { return master.info("role") == "slave"; }));
  master.await_in_sync(replica);
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("servers/redis_cluster");

TEST_CASE("a slot that moves answers MOVED and ASK at its steps") {
  RedisCluster cluster;
  int slot = cluster.slot("k");
  size_t old_index = cluster.owner(slot), new_index = (old_index + 1) % cluster.size();
  RedisServer& old_owner = cluster.node(old_index);
  RedisServer& new_owner = cluster.node(new_index);
  std::string to_old = " " + std::to_string(slot) + " " + old_owner.address();
  std::string to_new = " " + std::to_string(slot) + " " + new_owner.address();

  CHECK(ask(old_owner, {"SET", "k", "v"}) == "OK");
  CHECK(ask(new_owner, {"GET", "k"}) == "-MOVED" + to_old);

  cluster.begin_move(slot, new_index);
  CHECK(ask(old_owner, {"GET", "k"}) == "v");
  CHECK(ask(old_owner, {"GET", "{k}other"}) == "-ASK" + to_new);

  cluster.migrate_keys(slot, new_index);
  CHECK(ask(old_owner, {"GET", "k"}) == "-ASK" + to_new);
  CHECK(ask(new_owner, {"GET", "k"}) == "-MOVED" + to_old);
  CHECK(ask(new_owner, {"ASKING"}) == "OK");
  CHECK(ask(new_owner, {"GET", "k"}) == "v");

  cluster.finish_move(slot, new_index);
  CHECK(ask(new_owner, {"GET", "k"}) == "v");
  CHECK(ask(old_owner, {"GET", "k"}) == "-MOVED" + to_new);
  CHECK(cluster.owner(slot) == new_index);

  cluster.move(slot, old_index);
  CHECK(ask(old_owner, {"GET", "k"}) == "v");
}

TEST_CASE("a cluster that loses a node is down and comes back with it") {
  RedisCluster cluster(3, {.more = {"cluster-node-timeout 500"}});
  cluster.node(2).kill();
  auto is_down = [&] {
    return ask(cluster.node(0), {"SET", "k", "v"}) == "-CLUSTERDOWN The cluster is down";
  };
  CHECK(await(is_down));
  cluster.node(2).restart();
  cluster.await_ok();
}

TEST_SUITE_END();
