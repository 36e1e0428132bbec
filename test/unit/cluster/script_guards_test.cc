// The rules that the scripts lean on, each turned off in a copy of its script: a short scene must then end differently.
// A scene that ends the same would guard nothing.
#include "cluster/scripts.h"
#include "script_rig.h"

namespace {

using namespace stampede;
using namespace stampede::cluster;
using servers::RedisServer;

struct Guard {
  const char* rule;
  Script script;
  const char* line;     // of the script
  const char* instead;  // what breaks the rule
  std::string (*scene)(ScriptRig&);
  std::string end;  // of the scene when the rule holds
};

std::string ticket(ScriptRig& rig) {
  return rig.balance("ticket") + ", a " + rig.count("ticket", "a:0.1.0");
}

const Guard kGuards[] = {
    // ---- identity
    {"a Redis that was restarted grants nothing in the old epoch", Script::sync,
     "if m[2] ~= rid then", "if false then",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.server().restart();
       return rig.sync(kNode0, 1, "ticket 0 0 0 60");
     },
     "ROLLED, 5"},
    {"a replica that takes writes grants nothing", Script::sync,
     "if not string.find(info, 'role:master', 1, true) then return nil end", "",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       RedisServer replica({.replica_of = rig.server().port(), .is_replica_read_only = false});
       replica.await_in_sync(rig.server());
       // The state came with the identity of the master, which the replica shares.
       rig.server().command({"HSET", rig.key("m"), "rid", rig.server().info("master_replid")});
       replica.await_in_sync(rig.server());
       return rig.call_at(replica, Script::sync, rig.sync_text(kNode0, 1, "ticket 0 0 0 60"));
     },
     "REPLICA"},
    {"an exchange of another epoch is refused", Script::sync, "if epoch and m[1] ~= epoch then",
     "if false then",
     [](ScriptRig& rig) {
       rig.open("6", "0");
       return rig.call(Script::sync, "5 0 1 0.1.0 1 0");
     },
     "EPOCH, 6"},
    {"numbers are written digit by digit", Script::sync, "return string.format('%.0f', number)",
     "return tostring(number)",
     [](ScriptRig& rig) {
       rig.open("5", "0", "ticket 4503599627370496 0");
       rig.sync(kNode0, 1, "ticket 0 0 0 4503599627370495");
       return rig.count("ticket", "h");
     },
     "4503599627370495"},
    // ---- BUMP
    {"an epoch is above all before it", Script::bump, "if there >= tonumber(ARGV[1])", "if false",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       return rig.bump("4 0");
     },
     "STALE, 5"},
    {"nobody has joined an epoch that has just begun", Script::bump,
     "if not string.find(field, '^[de]:')", "if false",
     [](ScriptRig& rig) {
       rig.open("5", "0,1");
       rig.bump("6 0,1");
       rig.fill("6", "ticket 100 0");
       return rig.join("6", kNode0);
     },
     "OK, R, 0, 0"},
    {"the witness of a log outlives the epoch", Script::bump, "'^[de]:'", "'^[e]:'",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.sync(kNode0, 1, "", 41);
       rig.bump("6 0");
       return rig.join("6", kNode0);
     },
     "OK, R, 0, 41"},
    // ---- JOIN
    {"a stranger does not join", Script::join,
     "if not string.find(',' .. m[4] .. ',', ',' .. node .. ',', 1, true) then", "if false then",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       return rig.join("5", kNode1, "ticket 0 1 1.1.0 5 0 5");
     },
     "STRANGER"},
    {"an older process of a node does not join", Script::join,
     "if m[6] and (not tonumber(m[6]) or tonumber(m[6]) > tonumber(boot)) then", "if false then",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.join("5", {.node = "0", .boot = "2"});
       return rig.join("5", kNode0);
     },
     "FENCED"},
    {"the newer process takes the word from the older", Script::join,
     "redis.call('HSET', M, 'boot:' .. node, boot)",
     "redis.call('HSETNX', M, 'boot:' .. node, boot)",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.join("5", {.node = "0", .boot = "2"});
       return rig.sync(kNode0, 1, "");
     },
     "FENCED"},
    {"a late join changes no counter", Script::join,
     "if m[5] then return joined('JOINED', m[3]) end", "",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.sync(kNode0, 1, "ticket 0 0 0 60");
       rig.join("5", kNode0, "ticket 0 1 0.1.0 0 0 0");
       return rig.sync(kNode0, 2, "ticket 60 0 60 60");
     },
     "OK, 2, 100, 0, 0, 0"},
    {"the epoch opens when every member has joined and no sooner", Script::join,
     "if redis.call('HEXISTS', M, 'J:' .. member) == 0 then return joined('OK', 'R') end", "",
     [](ScriptRig& rig) {
       rig.bump("5 0,1");
       rig.fill("5", "ticket 100 0");
       return rig.join("5", kNode0);
     },
     "OK, R, 0, 0"},
    {"the epoch opens when the database has spoken and no sooner", Script::join,
     "if redis.call('HEXISTS', M, 'J:*') == 0 then return joined('OK', 'R') end", "",
     [](ScriptRig& rig) {
       rig.bump("5 0");
       return rig.join("5", kNode0);
     },
     "OK, R, 0, 0"},
    {"a join is there with its last chunk", Script::join,
     "if fin ~= '1' then return joined('OK', 'R') end", "",
     [](ScriptRig& rig) {
       rig.bump("5 0");
       rig.fill("5", "ticket 100 0");
       return rig.join("5", kNode0, "", false);
     },
     "OK, R, 0, 0"},
    {"a join sets counters and does not take the highest", Script::join, "'a:' .. stream, text(a)",
     "'a:' .. stream, text(math.max(a, tonumber(v[3]) or 0))",
     [](ScriptRig& rig) {
       rig.bump("5 0");
       rig.fill("5", "ticket 100 1 0.1.0 60 0 0");
       rig.join("5", kNode0, "ticket 0 1 0.1.0 20 0 20");
       return rig.call(Script::sync, "5 0 1 0.1.0 1 0 ticket 20 0 20 0") + ", h " +
              rig.field("i:5:ticket", "h");
     },
     "OK, 1, 20, 0, 80, 0, h 20"},
    {"a chunk that comes twice counts once", Script::join,
     "- ((tonumber(v[3]) or 0) - (tonumber(v[4]) or 0))", "",
     [](ScriptRig& rig) {
       rig.bump("5 0");
       rig.fill("5", "ticket 100 0");
       rig.join("5", kNode0, "ticket 0 1 0.1.0 20 5 2", false);
       rig.join("5", kNode0, "ticket 0 1 0.1.0 20 5 2");
       return rig.field("i:5:ticket", "h");
     },
     "15"},
    // ---- SYNC
    {"a process that was fenced is granted nothing", Script::sync,
     "if m[4] ~= boot then return {'FENCED'} end", "",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.call(Script::fence, "5 0");
       return rig.sync(kNode0, 1, "ticket 0 0 0 60");
     },
     "FENCED"},
    {"nothing is granted before the epoch is open", Script::sync,
     "if m[3] ~= 'O' then return {'RECOVERING'} end", "",
     [](ScriptRig& rig) {
       rig.bump("5 0,1");
       rig.fill("5", "ticket 100 0");
       rig.join("5", kNode0);
       return rig.call(Script::sync, "5 0 1 0.1.0 1 0 ticket 0 0 0 60");
     },
     "RECOVERING"},
    {"an old number is not taken for a repeat", Script::sync,
     "if n < last then return {'OLD', last} end", "",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.sync(kNode0, 1, "");
       rig.sync(kNode0, 2, "");
       return rig.sync(kNode0, 1, "");
     },
     "OLD, 2"},
    {"a number that leaves some out is noticed", Script::sync,
     "if n > last + 1 then return {'GAP', last} end", "",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       return rig.sync(kNode0, 2, "");
     },
     "GAP, 0"},
    {"a repeat grants nothing more", Script::sync, "local is_new = n == last + 1",
     "local is_new = true",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.sync(kNode0, 1, "ticket 0 0 0 10");
       rig.sync(kNode0, 1, "ticket 0 0 0 10");
       return ticket(rig);
     },
     "balanced, a 10"},
    {"an exchange that was made can be told from the next", Script::sync,
     "redis.call('HSET', M, 'n:' .. stream, ARGV[5], ", "redis.call('HSET', M, ",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.sync(kNode0, 1, "ticket 0 0 0 10");
       rig.sync(kNode0, 1, "ticket 0 0 0 10");
       return ticket(rig);
     },
     "balanced, a 10"},
    {"no more is granted than is free", Script::sync, "math.min(want, total - held)", "want",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.sync(kNode0, 1, "ticket 0 0 0 101");
       return ticket(rig);
     },
     "balanced, a 100"},
    {"nothing is taken from a stream when more is held than was supplied", Script::sync,
     "math.max(0, math.min(want, total - held))", "math.min(want, total - held)",
     [](ScriptRig& rig) {
       rig.open("5", "0", "ticket 10 2 0.1.0 9 0 0 2.1.0 9 0 0");
       return rig.sync(kNode0, 1, "ticket 0 0 0 5");
     },
     "OK, 1, 9, 0, -8, 0"},
    {"what was returned never becomes less", Script::sync, "if returned > r then",
     "if returned ~= r then",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.sync(kNode0, 1, "ticket 0 0 0 60");
       rig.sync(kNode0, 2, "ticket 60 25 0 0");
       return rig.sync(kNode0, 2, "ticket 60 0 0 0");
     },
     "OK, 2, 60, 25, 65, 0"},
    {"what was returned since counts in a repeat too", Script::sync, "if returned > r then",
     "if is_new and returned > r then",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.sync(kNode0, 1, "ticket 0 0 0 60");
       return rig.sync(kNode0, 1, "ticket 0 25 0 60");
     },
     "OK, 1, 60, 25, 65, 0"},
    {"returned units are free again", Script::sync, "held = held - (returned - r)", "",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.sync(kNode0, 1, "ticket 0 0 0 60");
       rig.sync(kNode0, 2, "ticket 60 25 0 0");
       return ticket(rig);
     },
     "balanced, a 60"},
    {"the sum of pools follows each pool", Script::sync, "unsold = unsold + reported - pool",
     "unsold = unsold + reported",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.sync(kNode0, 1, "ticket 0 0 0 60");
       rig.sync(kNode0, 2, "ticket 60 0 50 0");
       return ticket(rig);
     },
     "balanced, a 60"},
    {"granted units are in a pool before the stream has heard of them", Script::sync,
     "reported = reported + grant", "",
     [](ScriptRig& rig) {
       rig.open("5", "0,1");
       rig.sync(kNode0, 1, "ticket 0 0 0 100");
       return rig.sync(kNode1, 1, "ticket 0 0 0 1");
     },
     "OK, 1, 0, 0, 0, 100"},
    {"granted units that the stream does not know of are in its pool", Script::sync,
     "+ math.max(0, a - accepted)", "",
     [](ScriptRig& rig) {
       rig.open("5", "0,1");
       rig.sync(kNode0, 1, "ticket 0 0 0 100");
       rig.sync(kNode0, 2, "ticket 0 0 0 0");
       return rig.sync(kNode1, 1, "ticket 0 0 0 1");
     },
     "OK, 1, 0, 0, 0, 100"},
    {"the own pool is none of others", Script::sync, "out[#out + 1] = unsold - pool",
     "out[#out + 1] = unsold",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       return rig.sync(kNode0, 1, "ticket 0 0 0 60");
     },
     "OK, 1, 60, 0, 40, 0"},
    {"an item without a supply is told apart from one that is sold out", Script::sync,
     "if total then", "total = total or 0 if total then",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       return rig.sync(kNode0, 1, "ghost 0 0 0 1");
     },
     "OK, 1, -1, -1, -1, -1"},
    {"the witness of a log never goes down", Script::sync,
     "math.max(tonumber(m[6]) or 0, tonumber(ARGV[6]))", "tonumber(ARGV[6])",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.sync(kNode0, 1, "", 900);
       rig.sync(kNode0, 2, "", 899);
       return rig.field("m", "d:0.1.0");
     },
     "900"},
    // ---- SUPPLY and WITHDRAW
    {"a supply never goes down", Script::supply,
     "if supplied > (tonumber(redis.call('HGET', key, 'T')) or -1) then", "if true then",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.call(Script::supply, "5 ticket 10");
       return rig.count("ticket", "T");
     },
     "100"},
    {"an item that is supplied later is found by readers", Script::supply,
     "redis.call('SADD', P .. 'k:' .. epoch, item)", "",
     [](ScriptRig& rig) {
       rig.open("5", "0", "");
       rig.call(Script::supply, "5 ticket 10");
       return rig.call(Script::read, "5 0 10");
     },
     "OK, 0, ticket, [T, 10]"},
    {"a withdrawal that is repeated takes nothing more", Script::withdraw,
     "if v[4] then return {'OK', free} end", "",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.call(Script::withdraw, "5 op ticket 30");
       return rig.call(Script::withdraw, "5 op ticket 30");
     },
     "OK, 70"},
    {"an operation that has taken units takes no other number of them", Script::withdraw,
     "if v[4] and tonumber(v[4]) ~= units then", "if false then",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.call(Script::withdraw, "5 op ticket 30");
       return rig.call(Script::withdraw, "5 op ticket 31");
     },
     "REUSED, 30"},
    {"a withdrawal takes no more than is free", Script::withdraw,
     "if units > free then return {'SHORT', free} end", "",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.call(Script::withdraw, "5 op ticket 130");
       return rig.balance("ticket");
     },
     "balanced"},
    // ---- FENCE and SETTLE
    {"a fence holds", Script::fence, "redis.call('HSET', M, 'boot:' .. ARGV[2], '-')", "",
     [](ScriptRig& rig) {
       rig.open("5", "0,1");
       rig.call(Script::fence, "5 1");
       return rig.sync(kNode1, 1, "ticket 0 0 0 1");
     },
     "FENCED"},
    {"the counters of a node that lives are its own", Script::settle,
     "if m[4] and m[5] ~= '-' then return {'ALIVE'} end", "",
     [](ScriptRig& rig) {
       rig.open("5", "0,1");
       rig.sync(kNode1, 1, "ticket 0 0 0 60");
       return rig.call(Script::settle, "5 1 ticket 1.1.0 60 60");
     },
     "ALIVE"},
    {"what was settled lies in no pool", Script::settle, "tonumber(ARGV[at + 3]), 0)",
     "tonumber(ARGV[at + 3]), 7)",
     [](ScriptRig& rig) {
       rig.open("5", "0,1");
       rig.sync(kNode1, 1, "ticket 0 0 0 60");
       rig.call(Script::fence, "5 1");
       rig.call(Script::settle, "5 1 ticket 1.1.0 60 0");
       return rig.sync(kNode0, 1, "ticket 0 0 0 40");
     },
     "OK, 1, 40, 0, 0, 0"},
    {"an item that the ledger does not know is not made by settling", Script::settle,
     "if redis.call('EXISTS', key) == 1 then", "if true then",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.call(Script::settle, "5 9 ghost 9.1.0 5 5");
       return rig.server().command({"EXISTS", rig.key("i:5:ghost")}).line();
     },
     "0"},
    // ---- READ and PURGE
    {"who is presumed to hold the rest cannot join any more", Script::presume,
     "redis.call('HSET', M, 'boot:' .. node, '-')", "",
     [](ScriptRig& rig) {
       rig.bump("5 0,1");
       rig.fill("5", "ticket 100 0");
       rig.join("5", kNode0);
       rig.call(Script::presume, "5 1");
       return rig.join("5", kNode1);
     },
     "FENCED"},
    {"nobody is presumed to hold what another one may hold", Script::presume,
     "if member ~= node and", "if false and",
     [](ScriptRig& rig) {
       rig.bump("5 0,1");
       rig.fill("5", "ticket 100 0");
       return rig.call(Script::presume, "5 1");
     },
     "MISSING, 0"},
    {"nobody is presumed to hold what the database has not told yet", Script::presume,
     "if not m[5] then return {'EMPTY'} end", "",
     [](ScriptRig& rig) {
       rig.bump("5 0,1");
       rig.join("5", kNode0);
       return rig.call(Script::presume, "5 1");
     },
     "EMPTY"},
    {"counters that are still being told are not read", Script::read,
     "if m[3] ~= 'O' and ARGV[4] ~= 'R' then return {'RECOVERING'} end", "",
     [](ScriptRig& rig) {
       rig.bump("5 0");
       rig.fill("5", "ticket 100 0");
       return rig.call(Script::read, "5 0 10");
     },
     "RECOVERING"},
    {"a removed item is not supplied anew", Script::supply,
     "if redis.call('SADD', P .. 'k:' .. epoch, item) == 0 and redis.call('EXISTS', key) == 0 then "
     "return false end",
     "redis.call('SADD', P .. 'k:' .. epoch, item)",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.server().command({"DEL", "stampede:{ledger0}:i:5:ticket"});
       rig.call(Script::supply, "5 ticket 100");
       return rig.sync(kNode0, 1, "ticket 0 0 0 100");
     },
     "OK, 1, -1, -1, -1, -1"},
    {"the items of this epoch are not purged", Script::purge, "tonumber(old) < tonumber(ARGV[1])",
     "tonumber(old) <= tonumber(ARGV[1])",
     [](ScriptRig& rig) {
       rig.open("5", "0");
       rig.call(Script::purge, "5 10");
       return rig.count("ticket", "T");
     },
     "100"},
};

}  // namespace

TEST_SUITE_BEGIN("cluster/script_guards");

TEST_CASE("each rule of the scripts holds and is missed when it is turned off") {
  for (const Guard& guard : kGuards) {
    CAPTURE(std::string(guard.rule));
    ScriptRig rig;
    CHECK(guard.scene(rig) == guard.end);
    ScriptRig broken;
    broken.plant(guard.script, guard.line, guard.instead);
    CHECK(guard.scene(broken) != guard.end);
  }
}

TEST_SUITE_END();
