#include "cluster/scripts.h"

#include <algorithm>

#include "script_rig.h"

namespace {

using namespace stampede;
using namespace stampede::cluster;
using servers::RedisOptions;
using servers::RedisServer;

// A pair of which the second follows the first.
struct Pair {
  RedisServer master;
  RedisServer replica{RedisOptions{.replica_of = master.port(), .is_replica_read_only = false}};
};

// Every script that belongs to an epoch, with arguments that fit.
std::vector<std::pair<Script, std::string>> calls_of_epoch(const std::string& epoch) {
  return {{Script::join, epoch + " 0 1 1.1 1 1"},
          {Script::sync, epoch + " 0 1 0.1.0 1 0"},
          {Script::supply, epoch + " ticket 100"},
          {Script::fence, epoch + " 1"},
          {Script::settle, epoch + " 9"},
          {Script::withdraw, epoch + " op ticket 1"},
          {Script::read, epoch + " 0 10"},
          {Script::read_items, epoch + " ticket"},
          {Script::purge, epoch + " 10"},
          {Script::missing, epoch},
          {Script::alive, epoch}};
}

}  // namespace

TEST_SUITE_BEGIN("cluster/scripts");

// ---- Is this Redis still the one it was?

TEST_CASE("every script says GONE when the state of the epoch is not there") {
  ScriptRig rig;
  for (const auto& [script, arguments] : calls_of_epoch("5")) {
    CAPTURE(name_of(script));
    CHECK(rig.call(script, arguments) == "GONE");
  }
  CHECK(rig.check("0") == "GONE");
  CHECK(rig.server().command({"DBSIZE"}).line() == "0");
}

TEST_CASE("every script says EPOCH and which one when another has begun") {
  ScriptRig rig;
  rig.open("7", "0,1");
  for (const std::string other : {"5", "9"})
    for (const auto& [script, arguments] : calls_of_epoch(other)) {
      CAPTURE(name_of(script));
      CHECK(rig.call(script, arguments) == "EPOCH, 7");
    }
  CHECK(rig.balance("ticket") == "balanced");
}

TEST_CASE("every script says ROLLED after a restart that kept the data until a new epoch begins") {
  ScriptRig rig;
  rig.open("5", "0,1");
  rig.sync(kNode0, 1, "ticket 0 0 0 10");
  rig.server().restart();
  REQUIRE(rig.count("ticket", "a:0.1.0") == "10");
  for (const auto& [script, arguments] : calls_of_epoch("5")) {
    CAPTURE(name_of(script));
    CHECK(rig.call(script, arguments) == "ROLLED, 5");
  }
  CHECK(rig.check("0") == "ROLLED, 5, 0,1");
  CHECK(rig.count("ticket", "a:0.1.0") == "10");
  CHECK(rig.bump("5 0,1") == "STALE, 5");
  rig.open("6", "0,1");
  CHECK(rig.sync(kNode0, 1, "ticket 0 0 0 10") == "OK, 1, 10, 0, 90, 0");
}

TEST_CASE(
    "every script says REPLICA at a replica that takes writes and ROLLED when it was promoted") {
  Pair pair;
  pair.replica.await_in_sync(pair.master);  // before: a master's first replica makes it another
  ScriptRig rig(pair.master);
  rig.open("5", "0,1");
  pair.replica.await_in_sync(pair.master);
  for (const auto& [script, arguments] : calls_of_epoch("5")) {
    CAPTURE(name_of(script));
    CHECK(rig.call_at(pair.replica, script, arguments) == "REPLICA");
  }
  CHECK(rig.call_at(pair.replica, Script::check, "0") == "REPLICA");
  CHECK(rig.call_at(pair.replica, Script::bump, "6 0,1") == "REPLICA");
  pair.replica.promote();
  for (const auto& [script, arguments] : calls_of_epoch("5")) {
    CAPTURE(name_of(script));
    CHECK(rig.call_at(pair.replica, script, arguments) == "ROLLED, 5");
  }
  CHECK(rig.sync(kNode0, 1, "ticket 0 0 0 1") == "OK, 1, 1, 0, 99, 0");  // the old master goes on
}

TEST_CASE("a master begins a new history with its first replica and every script says ROLLED") {
  RedisServer master;
  ScriptRig rig(master);
  rig.open("5", "0");
  RedisServer replica({.replica_of = master.port()});
  replica.await_in_sync(master);
  CHECK(rig.sync(kNode0, 1, "ticket 0 0 0 1") == "ROLLED, 5");
  CHECK(rig.bump("6 0") == "OK");
}

// ---- BUMP and CHECK

TEST_CASE("an epoch begins only above the one that is there") {
  ScriptRig rig;
  CHECK(rig.bump("5 0") == "OK");
  CHECK(rig.bump("5 0") == "STALE, 5");
  CHECK(rig.bump("4 0") == "STALE, 5");
  CHECK(rig.bump("6 0,1") == "OK");
  CHECK(rig.check("0") == "OK, 6, R, 0,1, 1, , , 0");
}

TEST_CASE("a new epoch keeps nothing of the one before but the witness of the logs") {
  ScriptRig rig;
  rig.open("5", "0");
  rig.sync(kNode0, 1, "ticket 0 0 0 10", 41);
  CHECK(rig.bump("6 0") == "OK");
  CHECK(rig.check("0") == "OK, 6, R, 0, 1, , , 0");
  CHECK(rig.field("m", "n:0.1.0") == "nil");
  CHECK(rig.field("m", "d:0.1.0") == "41");
  CHECK(rig.fill("6", "ticket 100 0") == "OK, R");
  CHECK(rig.join("6", kNode0, "ticket 0 1 0.1.0 3 1 2") == "OK, O, 0, 41");
}

TEST_CASE("a check tells a node whether it has joined and which process speaks for it") {
  ScriptRig rig;
  rig.bump("5 0,1");
  CHECK(rig.check("0") == "OK, 5, R, 0,1, 1, , , 0");
  rig.fill("5", "ticket 100 0");
  CHECK(rig.check("0") == "OK, 5, R, 0,1, 1, , , 1");
  rig.join("5", {.node = "0", .boot = "4"});
  CHECK(rig.check("0") == "OK, 5, R, 0,1, 1, 1.1, 4, 1");
  rig.join("5", kNode1);
  CHECK(rig.check("1") == "OK, 5, O, 0,1, 1, 1.1, 1, 1");
  CHECK(rig.check("2") == "OK, 5, O, 0,1, 1, , , 1");
  rig.call(Script::fence, "5 1");
  CHECK(rig.check("1") == "OK, 5, O, 0,1, 1, 1.1, -, 1");
}

TEST_CASE("the signs of life of members are counted and a fenced one gives none") {
  ScriptRig rig;
  rig.open("5", "0,1,2");
  CHECK(rig.call(Script::alive, "5") == "OK, 0, 0, 1, 0, 2, 0");
  rig.call(Script::check, "1 1");
  rig.call(Script::check, "1 1");
  rig.call(Script::check, "2 0");
  rig.call(Script::check, "-1");
  CHECK(rig.call(Script::alive, "5") == "OK, 0, 0, 1, 2, 2, 0");
  rig.call(Script::fence, "5 2");
  CHECK(rig.call(Script::alive, "5") == "OK, 0, 0, 1, 2");
}

TEST_CASE("a Redis that refuses writes still answers the check") {
  ScriptRig rig;
  rig.open("5", "0");
  const std::string before = rig.call(Script::check, "0 1");
  rig.server().command({"CONFIG", "SET", "min-replicas-to-write", "1"});
  CHECK(rig.call(Script::check, "0 1") == before);
  rig.server().command({"CONFIG", "SET", "min-replicas-to-write", "0"});
}

TEST_CASE("the members that an epoch waits for are named") {
  ScriptRig rig;
  rig.bump("5 0,3,12");
  CHECK(rig.call(Script::missing, "5") == "OK, 0, 3, 12");
  rig.fill("5", "ticket 100 0");
  rig.join("5", {.node = "3"});
  CHECK(rig.call(Script::missing, "5") == "OK, 0, 12");
  rig.join("5", kNode0);
  rig.join("5", {.node = "12"});
  CHECK(rig.call(Script::missing, "5") == "OK");
}

TEST_CASE(
    "a node whose data are lost is presumed to hold what no other does when it alone is missing") {
  ScriptRig rig;
  CHECK(rig.call(Script::presume, "5 1") == "GONE");
  rig.bump("5 0,1,2");
  CHECK(rig.call(Script::presume, "4 1") == "EPOCH, 5");
  CHECK(rig.call(Script::presume, "5 7") == "STRANGER");
  CHECK(rig.call(Script::presume, "5 1") == "EMPTY");
  rig.fill("5", "ticket 100 1 withdrawn 10 0 0");
  rig.join("5", kNode0, "ticket 0 1 0.1.0 30 0 5");
  CHECK(rig.call(Script::presume, "5 1") == "MISSING, 2");
  CHECK(rig.check("1") == "OK, 5, R, 0,1,2, 1, , , 1");
  rig.join("5", {.node = "2"});
  CHECK(rig.call(Script::presume, "5 0") == "MISSING, 1");
  CHECK(rig.call(Script::presume, "5 1") == "OK");
  CHECK(rig.join("5", kNode1) == "FENCED");
  CHECK(rig.call(Script::read, "5 0 10") == "RECOVERING");
  CHECK(rig.call(Script::read, "5 0 10 R").find("h, 40") != std::string::npos);
}

TEST_CASE("a node that has joined in time is presumed to hold what it said") {
  ScriptRig rig;
  rig.open("5", "0,1");
  rig.sync(kNode1, 1, "ticket 0 0 0 7");
  CHECK(rig.call(Script::presume, "5 1") == "JOINED");
  CHECK(rig.sync(kNode1, 2, "ticket 7 0 7 1") == "FENCED");
}

TEST_CASE(
    "an epoch is ended without another and its number is not forgotten by the logs' witness") {
  ScriptRig rig;
  rig.open("5", "0");
  rig.sync(kNode0, 1, "ticket 0 0 0 1", 77);
  CHECK(rig.call(Script::finish, "") == "OK, 5");
  CHECK(rig.call(Script::finish, "") == "GONE");
  CHECK(rig.check("0") == "GONE");
  CHECK(rig.sync(kNode0, 2, "ticket 1 0 1 1", 78) == "GONE");
  rig.bump("6 0");
  CHECK(rig.join("6", kNode0) == "OK, R, 0, 77");
}

TEST_CASE("epochs as large as the registry makes them are told digit by digit") {
  ScriptRig rig;
  const std::string epoch = std::to_string((uint64_t{1} << 51) | 1023);
  rig.open(epoch, "0");
  CHECK(rig.check("0") == "OK, " + epoch + ", O, 0, 1, 1.1, 1, 1");
  CHECK(rig.bump(epoch + " 0") == "STALE, " + epoch);
  CHECK(rig.call(Script::purge, "9 1") == "EPOCH, " + epoch);
}

// ---- JOIN

TEST_CASE("the epoch opens when the database and every member have spoken in any order") {
  for (const std::string order : {"*01", "10*", "0*1"}) {
    ScriptRig rig;
    rig.bump("5 0,1");
    for (size_t i = 0; i < order.size(); ++i) {
      const std::string state = i + 1 == order.size() ? "O" : "R";
      CAPTURE(order);
      CHECK(rig.check("0").starts_with("OK, 5, R"));
      if (order[i] == '*')
        CHECK(rig.fill("5", "ticket 100 0") == "OK, " + state);
      else
        CHECK(rig.join("5", {.node = std::string(1, order[i])}) == "OK, " + state + ", 0, 0");
    }
    CHECK(rig.check("0").starts_with("OK, 5, O"));
  }
}

TEST_CASE("who is no member of the epoch is a stranger whatever digits his number shares") {
  ScriptRig rig;
  rig.bump("5 1,10,3");
  for (const std::string node : {"0", "2", "11", "30", "13"})
    CHECK(rig.join("5", {.node = node}, "ticket 0 1 x.1.0 5 0 5") == "STRANGER");
  for (const std::string node : {"1", "10", "3"})
    CHECK(rig.join("5", {.node = node}) == "OK, R, 0, 0");
  CHECK(rig.count("ticket", "T") == "nil");
}

TEST_CASE("what members and the database tell adds up to what is free") {
  ScriptRig rig;
  rig.open("5", "0");
  rig.bump("6 0,1");
  rig.fill("6", "ticket 100 2 withdrawn 7 0 0 2.1.0 20 5 0 seat 9 0");
  rig.join("6", kNode0, "ticket 0 1 0.1.0 30 10 4 seat 0 1 0.1.0 2 0 1");
  rig.join("6", kNode1, "ticket 0 1 1.1.0 8 0 8");
  rig.open("7", "0,1", "ticket 100 2 withdrawn 7 0 0 2.1.0 20 5 0 seat 9 0");
  CHECK(rig.sync(kNode0, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 78, 0");
  ScriptRig other;
  other.bump("6 0,1");
  other.fill("6", "ticket 100 2 withdrawn 7 0 0 2.1.0 20 5 0 seat 9 0");
  other.join("6", kNode0, "ticket 0 1 0.1.0 30 10 4 seat 0 1 0.1.0 2 0 1");
  CHECK(other.join("6", kNode1, "ticket 0 1 1.1.0 8 0 8") == "OK, O, 0, 0");
  // free: 100 − 7 − 15 − 20 − 8
  CHECK(other.call(Script::sync, "6 0 1 0.1.0 1 0 ticket 30 10 4 0 seat 2 0 1 0") ==
        "OK, 1, 30, 10, 50, 8, 2, 0, 7, 0");
}

TEST_CASE(
    "a join in chunks counts when its last chunk has come and a chunk that comes twice counts "
    "once") {
  ScriptRig rig;
  rig.bump("5 0");
  CHECK(rig.fill("5", "ticket 100 0", false) == "OK, R");
  CHECK(rig.check("0").ends_with(", 0"));
  CHECK(rig.fill("5", "ticket 100 0", false) == "OK, R");
  CHECK(rig.fill("5", "seat 50 1 2.1.0 10 0 0") == "OK, R");
  CHECK(rig.join("5", kNode0, "ticket 0 1 0.1.0 9 1 3", false) == "OK, R, 0, 0");
  CHECK(rig.join("5", kNode0, "ticket 0 1 0.1.0 9 1 3", false) == "OK, R, 0, 0");
  CHECK(rig.check("0") == "OK, 5, R, 0, 1, , 1, 1");
  CHECK(rig.join("5", kNode0, "seat 0 1 0.1.0 4 0 4") == "OK, O, 0, 0");
  CHECK(rig.call(Script::sync, "5 0 1 0.1.0 1 0 ticket 9 1 3 0 seat 4 0 4 0") ==
        "OK, 1, 9, 1, 92, 0, 4, 0, 36, 0");
}

TEST_CASE("a newer process starts the chunks again and the older one is not heard any more") {
  ScriptRig rig;
  rig.bump("5 0");
  rig.fill("5", "ticket 100 0");
  const Caller older = kNode0, newer{.node = "0", .boot = "2"};
  CHECK(rig.join("5", older, "ticket 0 1 0.1.0 9 1 3", false) == "OK, R, 0, 0");
  CHECK(rig.join("5", newer, "ticket 0 1 0.1.0 9 2 2", false) == "OK, R, 0, 0");
  CHECK(rig.join("5", older, "ticket 0 1 0.1.0 9 1 3") == "FENCED");
  CHECK(rig.join("5", newer, "ticket 0 1 0.1.0 9 2 2") == "OK, O, 0, 0");
  CHECK(rig.call(Script::sync, "5 0 1 0.1.0 1 0 ticket 9 1 3 50") == "FENCED");
  CHECK(rig.call(Script::sync, "5 0 2 0.1.0 1 0 ticket 9 2 2 0") == "OK, 1, 9, 2, 93, 0");
}

TEST_CASE("a repeated or late join changes no counter and tells where to go on") {
  ScriptRig rig;
  rig.open("5", "0,1");
  rig.sync(kNode0, 1, "ticket 0 0 0 10", 3);
  rig.sync(kNode0, 2, "ticket 10 0 10 0", 4);
  CHECK(rig.join("5", kNode0, "ticket 0 1 0.1.0 0 0 0") == "JOINED, O, 2, 4");
  CHECK(rig.join("5", {.node = "0", .boot = "2"}, "ticket 0 1 0.1.0 0 0 0", false) ==
        "JOINED, O, 2, 4");
  CHECK(rig.fill("5", "ticket 500 1 2.1.0 90 0 0") == "JOINED, O");
  CHECK(rig.count("ticket", "a:0.1.0") == "10");
  CHECK(rig.count("ticket", "T") == "100");
  CHECK(rig.sync(kNode0, 3, "ticket 10 0 10 0") == "FENCED");
  CHECK(rig.sync({.node = "0", .boot = "2"}, 3, "ticket 10 0 10 0") == "OK, 3, 10, 0, 90, 0");
}

TEST_CASE("a join tells the number and the witness of each of the node's shards") {
  ScriptRig rig;
  rig.bump("5 0");
  rig.fill("5", "ticket 100 0");
  CHECK(rig.call(Script::join, "5 0 1 2.3 3 1") == "OK, O, 0, 0, 0, 0, 0, 0");
  rig.call(Script::sync, "5 0 1 0.2.2 1 77");
  rig.call(Script::sync, "5 0 1 0.2.0 1 8");
  CHECK(rig.call(Script::join, "5 0 1 2.3 3 1") == "JOINED, O, 1, 8, 0, 0, 1, 77");
}

// ---- SYNC

TEST_CASE("units are granted until there are none") {
  ScriptRig rig;
  rig.open("5", "0,1");
  CHECK(rig.sync(kNode0, 1, "ticket 0 0 0 60") == "OK, 1, 60, 0, 40, 0");
  CHECK(rig.sync(kNode1, 1, "ticket 0 0 0 60") == "OK, 1, 40, 0, 0, 60");
  CHECK(rig.sync(kNode1, 2, "ticket 40 0 40 1") == "OK, 2, 40, 0, 0, 60");
  CHECK(rig.balance("ticket") == "balanced");
}

TEST_CASE("a repeat grants nothing more and reads the same") {
  ScriptRig rig;
  rig.open("5", "0,1");
  const std::string first = rig.sync(kNode0, 1, "ticket 0 0 0 60");
  for (int i = 0; i < 3; ++i) CHECK(rig.sync(kNode0, 1, "ticket 0 0 0 60") == first);
  CHECK(rig.count("ticket", "p:0.1.0") == "60");
  CHECK(rig.sync(kNode0, 2, "ticket 60 0 60 1") == "OK, 2, 61, 0, 39, 0");
  CHECK(rig.balance("ticket") == "balanced");
}

TEST_CASE("units returned since count in a repeat too and once only") {
  ScriptRig rig;
  rig.open("5", "0,1");
  rig.sync(kNode0, 1, "ticket 0 0 0 60");
  CHECK(rig.sync(kNode0, 1, "ticket 0 25 0 60") == "OK, 1, 60, 25, 65, 0");
  CHECK(rig.sync(kNode0, 1, "ticket 0 25 0 60") == "OK, 1, 60, 25, 65, 0");
  CHECK(rig.sync(kNode0, 1, "ticket 0 20 0 60") == "OK, 1, 60, 25, 65, 0");
  CHECK(rig.sync(kNode0, 2, "ticket 60 20 0 0") == "OK, 2, 60, 25, 65, 0");
  CHECK(rig.balance("ticket") == "balanced");
}

TEST_CASE("a number below the last is old and one that leaves some out is a gap") {
  ScriptRig rig;
  rig.open("5", "0");
  rig.sync(kNode0, 1, "ticket 0 0 0 1");
  rig.sync(kNode0, 2, "ticket 1 0 1 1");
  CHECK(rig.sync(kNode0, 1, "ticket 0 9 9 9", 99) == "OLD, 2");
  CHECK(rig.sync(kNode0, 4, "ticket 18 9 9 9", 99) == "GAP, 2");
  CHECK(rig.count("ticket", "a:0.1.0") == "2");
  CHECK(rig.count("ticket", "r:0.1.0") == "0");
  CHECK(rig.field("m", "d:0.1.0") == "0");
}

TEST_CASE("streams learn what lies unsold in the pools of others") {
  ScriptRig rig;
  rig.open("5", "0,1");
  rig.sync(kNode0, 1, "ticket 0 0 0 60");
  rig.sync(kNode1, 1, "ticket 0 0 0 40");
  CHECK(rig.sync(kNode0, 2, "ticket 60 0 45 0") == "OK, 2, 60, 0, 0, 40");
  CHECK(rig.sync(kNode1, 2, "ticket 40 0 0 0") == "OK, 2, 40, 0, 0, 45");
  CHECK(rig.sync(kNode0, 3, "ticket 60 5 0 0") == "OK, 3, 60, 5, 5, 0");
  CHECK(rig.sync(kNode1, 3, "ticket 40 0 0 9") == "OK, 3, 45, 0, 0, 0");
  CHECK(rig.count("ticket", "p") == "5");
  CHECK(rig.balance("ticket") == "balanced");
}

TEST_CASE("the pool of an exchange counts the units that it granted") {
  ScriptRig rig;
  rig.open("5", "0,1");
  rig.sync(kNode0, 1, "ticket 0 0 0 60");
  // The reply of the first is lost: the stream does not know of the 60 and says so.
  CHECK(rig.sync(kNode1, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 40, 60");
  CHECK(rig.sync(kNode0, 1, "ticket 0 0 0 60") == "OK, 1, 60, 0, 40, 0");
  CHECK(rig.sync(kNode1, 2, "ticket 0 0 0 0") == "OK, 2, 0, 0, 40, 60");
}

TEST_CASE("units that a stream does not know to be its own are unsold in its pool") {
  ScriptRig rig;
  rig.open("5", "0,1", "ticket 60 0");
  rig.sync(kNode0, 1, "ticket 0 0 0 60");
  // The process that was granted them died before it logged it; the next one has sold none and knows of none.
  const Caller newer{.node = "0", .boot = "2"};
  rig.join("5", newer);
  rig.sync(newer, 2, "ticket 0 0 0 0");
  CHECK(rig.sync(kNode1, 1, "ticket 0 0 0 1") == "OK, 1, 0, 0, 0, 60");
  rig.sync(newer, 3, "ticket 60 0 20 0");
  CHECK(rig.sync(kNode1, 2, "ticket 0 0 0 1") == "OK, 2, 0, 0, 0, 20");
  CHECK(rig.balance("ticket") == "balanced");
}

TEST_CASE("an item that the ledger does not know is told so and the others are served") {
  ScriptRig rig;
  rig.open("5", "0");
  CHECK(rig.sync(kNode0, 1, "ghost 0 0 0 5 ticket 0 0 0 5") ==
        "OK, 1, -1, -1, -1, -1, 5, 0, 95, 0");
  CHECK(rig.server().command({"EXISTS", rig.key("i:5:ghost")}).line() == "0");
  CHECK(rig.call(Script::supply, "5 ghost 8") == "OK");
  CHECK(rig.sync(kNode0, 2, "ghost 0 0 0 5") == "OK, 2, 5, 0, 3, 0");
}

TEST_CASE("an item that is held by more than was supplied grants nothing and shows it") {
  ScriptRig rig;
  rig.bump("5 0");
  rig.fill("5", "ticket 10 1 2.1.0 15 0 0");
  rig.open("6", "0", "ticket 10 1 2.1.0 15 0 0");
  CHECK(rig.sync(kNode0, 1, "ticket 0 0 0 5") == "OK, 1, 0, 0, -5, 0");
  CHECK(rig.count("ticket", "a:0.1.0") == "nil");
  CHECK(rig.call(Script::withdraw, "6 op ticket 1") == "SHORT, -5");
}

TEST_CASE("an item that only the members know has no supply and grants nothing") {
  ScriptRig rig;
  rig.bump("5 0");
  rig.fill("5", "");
  rig.join("5", kNode0, "ticket 0 1 0.1.0 3 0 3");
  CHECK(rig.call(Script::sync, "5 0 1 0.1.0 1 0 ticket 3 0 3 1") == "OK, 1, 3, 0, -3, 0");
}

TEST_CASE("nothing is exchanged before the epoch is open") {
  ScriptRig rig;
  rig.bump("5 0,1");
  rig.fill("5", "ticket 100 0");
  CHECK(rig.call(Script::sync, "5 0 1 0.1.0 1 0 ticket 0 0 0 5") ==
        "FENCED");  // nobody speaks for it yet
  rig.join("5", kNode0);
  CHECK(rig.call(Script::sync, "5 0 1 0.1.0 1 0 ticket 0 0 0 5") == "RECOVERING");
  CHECK(rig.call(Script::fence, "5 0") == "RECOVERING");
  CHECK(rig.call(Script::settle, "5 0 ticket 0.1.0 5 5") == "RECOVERING");
  CHECK(rig.call(Script::withdraw, "5 op ticket 1") == "RECOVERING");
  CHECK(rig.call(Script::read, "5 0 10") == "RECOVERING");
  CHECK(rig.call(Script::read_items, "5 ticket") == "RECOVERING");
}

TEST_CASE("the witness of a log only rises") {
  ScriptRig rig;
  rig.open("5", "0,1");
  rig.sync(kNode0, 1, "", 900);
  rig.sync(kNode0, 2, "", 899);
  rig.sync(kNode0, 2, "", 1000);
  rig.sync(kNode1, 1, "", 5);
  CHECK(rig.field("m", "d:0.1.0") == "1000");
  CHECK(rig.field("m", "d:1.1.0") == "5");
}

TEST_CASE("numbers up to two to the 52nd are kept to the last unit") {
  ScriptRig rig;
  const uint64_t all = uint64_t{1} << 52;
  const std::string total = std::to_string(all), almost = std::to_string(all - 1);
  rig.open("5", "0,1", "ticket " + total + " 0");
  CHECK(rig.sync(kNode0, 1, "ticket 0 0 0 " + almost, all) == "OK, 1, " + almost + ", 0, 1, 0");
  CHECK(rig.count("ticket", "h") == almost);
  CHECK(rig.sync(kNode0, 2, "ticket " + almost + " " + almost + " 0 0", all) ==
        "OK, 2, " + almost + ", " + almost + ", " + total + ", 0");
  CHECK(rig.call(Script::withdraw, "5 op ticket " + almost) == "OK, 1");
  CHECK(rig.call(Script::supply, "5 ticket " + almost) == "OK");
  for (const std::string name : {"T", "h", "a:withdrawn", "w:op"}) {
    CAPTURE(name);
    CHECK(rig.count("ticket", name) == (name == "T" ? total : almost));
  }
  CHECK(rig.join("5", kNode0) == "JOINED, O, 2, " + total);
  CHECK(rig.balance("ticket") == "balanced");
}

TEST_CASE("counters told in a join are kept to the last unit too") {
  ScriptRig rig;
  const std::string many = std::to_string((uint64_t{1} << 52) - 1);
  rig.open("5", "0", "ticket " + many + " 1 2.1.0 " + many + " 1 0");
  CHECK(rig.count("ticket", "a:2.1.0") == many);
  CHECK(rig.sync(kNode0, 1, "ticket 0 0 0 5") == "OK, 1, 1, 0, 0, 0");
}

// ---- SUPPLY and WITHDRAW

TEST_CASE("a supply never goes down and may come before the epoch is open") {
  ScriptRig rig;
  rig.bump("5 0");
  CHECK(rig.call(Script::supply, "5 ticket 70 seat 5") == "OK");
  rig.fill("5", "ticket 60 0 seat 6 0");
  rig.join("5", kNode0, "ticket 0 1 0.1.0 1 0 1");
  CHECK(rig.call(Script::supply, "5 ticket 10") == "OK");
  CHECK(rig.call(Script::sync, "5 0 1 0.1.0 1 0 ticket 1 0 1 0 seat 0 0 0 0") ==
        "OK, 1, 1, 0, 69, 0, 0, 0, 6, 0");
  CHECK(rig.call(Script::supply, "5 ticket 80") == "OK");
  CHECK(rig.call(Script::supply, "5 ticket 80") == "OK");
  CHECK(rig.call(Script::sync, "5 0 1 0.1.0 2 0 ticket 1 0 1 0") == "OK, 2, 1, 0, 79, 0");
}

TEST_CASE("an item whose key was removed is not made anew by a supply or a join") {
  ScriptRig rig;
  rig.bump("5 0,1");
  rig.fill("5", "ticket 100 0");
  rig.join("5", kNode0, "ticket 0 1 0.1.0 60 0 0");
  rig.server().command({"DEL", "stampede:{ledger0}:i:5:ticket"});
  CHECK(rig.join("5", kNode1, "ticket 0 1 1.1.0 30 0 0") == "LOST, ticket");
  CHECK(rig.call(Script::supply, "5 seat 10 ticket 200") == "LOST, ticket");
  CHECK(rig.server().command({"HGET", "stampede:{ledger0}:i:5:seat", "T"}).line() == "10");
  CHECK(rig.server().command({"EXISTS", "stampede:{ledger0}:i:5:ticket"}).line() == "0");
}

TEST_CASE("a withdrawal takes free units only and once per operation") {
  ScriptRig rig;
  rig.open("5", "0");
  rig.sync(kNode0, 1, "ticket 0 0 0 60");
  CHECK(rig.call(Script::withdraw, "5 a ticket 41") == "SHORT, 40");
  CHECK(rig.call(Script::withdraw, "5 a ticket 30") == "OK, 10");
  CHECK(rig.call(Script::withdraw, "5 a ticket 30") == "OK, 10");
  CHECK(rig.call(Script::withdraw, "5 a ticket 31") == "REUSED, 30");
  CHECK(rig.call(Script::withdraw, "5 a ticket 5") == "REUSED, 30");
  CHECK(rig.count("ticket", "a:withdrawn") == "30");
  CHECK(rig.call(Script::withdraw, "5 b ticket 10") == "OK, 0");
  CHECK(rig.call(Script::withdraw, "5 c ghost 1") == "UNKNOWN");
  CHECK(rig.sync(kNode0, 2, "ticket 60 0 60 5") == "OK, 2, 60, 0, 0, 0");
  CHECK(rig.count("ticket", "a:withdrawn") == "40");
  CHECK(rig.balance("ticket") == "balanced");
}

// ---- FENCE and SETTLE

TEST_CASE("who is fenced is heard no more in this epoch and its counters stand still") {
  ScriptRig rig;
  rig.open("5", "0,1");
  rig.sync(kNode1, 1, "ticket 0 0 0 10");
  CHECK(rig.call(Script::fence, "5 1") == "OK, 1.1");
  CHECK(rig.call(Script::fence, "5 7") == "OK, ");
  CHECK(rig.sync(kNode1, 2, "ticket 10 4 0 10") == "FENCED");
  CHECK(rig.sync(kNode1, 1, "ticket 0 4 0 10") == "FENCED");
  CHECK(rig.join("5", kNode1) == "FENCED");
  CHECK(rig.join("5", {.node = "1", .boot = "2"}) == "FENCED");
  CHECK(rig.count("ticket", "a:1.1.0") == "10");
  CHECK(rig.count("ticket", "r:1.1.0") == "0");
  CHECK(rig.sync(kNode0, 1, "ticket 0 0 0 1") == "OK, 1, 1, 0, 89, 10");
}

TEST_CASE("who is fenced joins the next epoch") {
  ScriptRig rig;
  rig.open("5", "0,1");
  rig.call(Script::fence, "5 1");
  rig.open("6", "0,1");
  CHECK(rig.sync(kNode1, 1, "ticket 0 0 0 10") == "OK, 1, 10, 0, 90, 0");
}

TEST_CASE("final counters of a node that is gone give its units back once") {
  ScriptRig rig;
  rig.open("5", "0,1");
  rig.sync(kNode1, 1, "ticket 0 0 0 30");
  CHECK(rig.call(Script::settle, "5 1 ticket 1.1.0 30 20") == "ALIVE");
  rig.call(Script::fence, "5 1");
  for (int i = 0; i < 2; ++i)
    CHECK(rig.call(Script::settle, "5 1 ticket 1.1.0 30 20 ghost 1.1.0 5 5") == "OK");
  CHECK(rig.sync(kNode0, 1, "ticket 0 0 0 100") == "OK, 1, 90, 0, 0, 0");
  CHECK(rig.count("ticket", "p:1.1.0") == "0");
  CHECK(rig.server().command({"EXISTS", rig.key("i:5:ghost")}).line() == "0");
  CHECK(rig.balance("ticket") == "balanced");
}

TEST_CASE("a node that is no member of the epoch is settled without a fence") {
  ScriptRig rig;
  rig.open("5", "0", "ticket 100 1 1.1.0 30 0 0");
  CHECK(rig.call(Script::settle, "5 1 ticket 1.1.0 30 30") == "OK");
  CHECK(rig.sync(kNode0, 1, "ticket 0 0 0 0") == "OK, 1, 0, 0, 100, 0");
}

// ---- READ and PURGE

TEST_CASE("items are read page by page and each at least once") {
  ScriptRig rig;
  std::string items;
  for (int i = 0; i < 1000; ++i) items += "item" + std::to_string(i) + " 7 0 ";
  rig.open("5", "0", items);
  std::string cursor = "0";
  std::map<std::string, std::string> read;
  int pages = 0;
  do {
    const servers::RedisReply page =
        rig.server().command({"EVAL", std::string(source_of(Script::read)), "1",
                              std::string(state_key(0)), "5", cursor, "100"});
    REQUIRE(page.elements.at(0).text == "OK");
    cursor = page.elements.at(1).text;
    for (size_t i = 2; i + 1 < page.elements.size(); i += 2)
      read[page.elements[i].text] = page.elements[i + 1].line();
    ++pages;
  } while (cursor != "0");
  CHECK(read.size() == 1000);
  CHECK(pages > 5);
  CHECK(read["item999"] == "[T, 7]");
}

TEST_CASE("some items are read as they are at one moment") {
  ScriptRig rig;
  rig.open("5", "0");
  rig.sync(kNode0, 1, "ticket 0 0 0 1");
  CHECK(rig.call(Script::read_items, "5 ghost ticket") ==
        "OK, [], [T, 100, h, 1, p, 1, a:0.1.0, 1, r:0.1.0, 0, p:0.1.0, 1]");
}

TEST_CASE("items of older epochs are removed some at a time and those of this one stay") {
  ScriptRig rig;
  rig.open("5", "0", "a 1 0 b 1 0 c 1 0");
  rig.open("6", "0", "a 1 0");
  rig.open("7", "0", "a 1 0 b 1 0");
  int calls = 1;
  while (rig.call(Script::purge, "7 2") == "OK, 1") ++calls;
  CHECK(rig.call(Script::purge, "7 2") == "OK, 0");
  CHECK(calls == 6);  // 5: two, one, none left; 6: one, none left; nothing more
  std::vector<std::string> left;
  for (const servers::RedisReply& key : rig.server().command({"KEYS", "*"}).elements)
    left.push_back(key.text);
  std::sort(left.begin(), left.end());
  CHECK(left ==
        std::vector<std::string>{rig.key("i:7:a"), rig.key("i:7:b"), rig.key("k:7"), rig.key("m")});
  CHECK(rig.field("m", "e:5") == "nil");
  CHECK(rig.field("m", "e:7") == "1");
}

TEST_CASE("every key begins with the prefix and lies in one slot of a cluster") {
  ScriptRig rig;
  rig.open("5", "0,1");
  rig.sync(kNode0, 1, "ticket 0 0 0 5", 9);
  rig.call(Script::withdraw, "5 op ticket 1");
  for (const servers::RedisReply& key : rig.server().command({"KEYS", "*"}).elements)
    CHECK(key.text.starts_with("stampede:{ledger0}:"));
  CHECK(state_key(15) == "stampede:{ledger15}:m");
}

TEST_SUITE_END();
