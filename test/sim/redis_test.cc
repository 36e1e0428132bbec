#include "redis.h"

#include <algorithm>
#include <map>
#include <random>

#include "../servers/redis_server.h"
#include "registry.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace {

using namespace stampede;
using namespace stampede::sim;
using cluster::Script;

uint64_t seed_of_run() {
  const char* const given = std::getenv("SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

Reply from(const servers::RedisReply& reply) {
  using Kind = servers::RedisReply::Kind;
  Reply same{.integer = reply.integer, .text = reply.text};
  REQUIRE(reply.has_come());
  same.kind = reply.kind == Kind::nil       ? Reply::Kind::nil
              : reply.kind == Kind::integer ? Reply::Kind::integer
              : reply.kind == Kind::error   ? Reply::Kind::error
              : reply.kind == Kind::array   ? Reply::Kind::array
                                            : Reply::Kind::text;
  for (const servers::RedisReply& element : reply.elements) same.elements.push_back(from(element));
  return same;
}

class HandClock final : public Clock {
 public:
  Moment now() override { return {.wall_ns = 0, .boot_ns = now_ns}; }
  int64_t now_ns = kSecond;
};

// ---- A real Redis and a simulated one, side by side

class Pair {
 public:
  explicit Pair(uint64_t seed) : world_(seed, clock_) { world_.add_master(); }

  Reply real(std::string_view source, uint32_t group, const Words& arguments) {
    Words words{"EVAL", std::string(source), "1", std::string(cluster::state_key(group))};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return from(server_.command(words));
  }
  Reply real(Script script, uint32_t group, const Words& arguments) {
    return real(cluster::source_of(script), group, arguments);
  }
  Reply simulated(Script script, uint32_t group, const Words& arguments) {
    return world_.run(0, script, group, arguments);
  }
  Reply simulated(std::string_view source, const Words& arguments) {
    ScriptHost host{.store = world_.store(0), .info = "", .refused_writes = ""};
    return world_.engine().run(source, std::string(cluster::state_key(0)), arguments, host);
  }
  void restart(bool is_wiped) {
    server_.restart(is_wiped ? servers::Data::wiped : servers::Data::kept);
    world_.restart(0, is_wiped ? RedisWorld::Contents::none : RedisWorld::Contents::as_left);
  }
  void remove(const std::string& rest) {
    const std::string_view state = cluster::state_key(0);
    const std::string key = std::string(state.substr(0, state.size() - 1)) + rest;
    std::vector<Words> effects;
    const int64_t removed = server_.command({"UNLINK", key}).integer;
    CHECK(world_.store(0).run(Words{"UNLINK", key}, effects).integer == removed);
  }
  // Because the memory is full.
  void refuse_writes(bool are_refused) {
    server_.command({"CONFIG", "SET", "maxmemory", are_refused ? "1" : "0"});
    world_.refuse_writes(
        0, are_refused ? "OOM command not allowed when used memory > 'maxmemory'." : "");
  }
  // Each key with what it has. The identity is each server's own.
  Words real_contents() {
    Words lines;
    for (const auto& key : server_.command({"KEYS", "*"}).elements) {
      const bool is_hash = server_.command({"TYPE", key.text}).text == "hash";
      const auto all = server_.command({is_hash ? "HGETALL" : "SMEMBERS", key.text});
      for (size_t i = 0; i < all.elements.size(); i += is_hash ? 2 : 1)
        lines.push_back(key.text + " " + all.elements[i].text +
                        (is_hash ? "=" + all.elements[i + 1].text : ""));
    }
    return without_identity(std::move(lines));
  }
  Words simulated_contents() {
    Words lines;
    for (const std::string& key : world_.store(0).keys())
      for (const std::string& line : world_.store(0).contents(key))
        lines.push_back(key + " " + line);
    return without_identity(std::move(lines));
  }

 private:
  static Words without_identity(Words lines) {
    std::erase_if(lines, [](const std::string& line) { return line.find(" rid=") != line.npos; });
    std::ranges::sort(lines);
    return lines;
  }

  HandClock clock_;
  servers::RedisServer server_{{.append_only = servers::AppendOnly::written}};
  RedisWorld world_;
};

// Redis promises no order of a hash's fields: a list of names and values, sorted by names.
void sort_hash(Reply& hash) {
  std::vector<std::pair<std::string, Reply>> fields;
  for (size_t i = 0; i + 1 < hash.elements.size(); i += 2)
    fields.emplace_back(hash.elements[i].text, hash.elements[i + 1]);
  std::ranges::sort(fields, {}, [](const auto& field) { return field.first; });
  for (size_t i = 0; i < fields.size(); ++i) {
    hash.elements[2 * i] = Reply::of(fields[i].first);
    hash.elements[2 * i + 1] = fields[i].second;
  }
}

// Random calls of nodes that mostly follow the protocol, and sometimes do not.
class Trace {
 public:
  explicit Trace(uint64_t seed) : pair_(seed), random_(seed) {}

  void run(int calls) {
    for (int call = 0; call < calls; ++call) {
      CAPTURE(call);
      const uint64_t what = below(1'000);
      if (what < 2) {
        pair_.restart(what == 0);
      } else if (what < 20) {
        open_epoch();
      } else if (what < 24) {
        pair_.remove("i:" + std::to_string(epoch_) + ":" + item());
      } else if (what < 28) {
        pair_.refuse_writes(true);
        call_one();
        pair_.refuse_writes(false);
      } else if (what < 40) {
        purge();
      } else if (what < 55) {
        read_all();
      } else {
        call_one();
      }
      if (call % 100 == 99) REQUIRE(pair_.simulated_contents() == pair_.real_contents());
    }
    REQUIRE(pair_.simulated_contents() == pair_.real_contents());
  }
  std::map<std::string, int> statuses;  // by script and status: how often

 private:
  uint64_t below(uint64_t end) { return random_.below(end); }
  std::string node() { return std::to_string(below(4)); }
  std::string item() { return std::string(1, static_cast<char>('a' + below(5))); }
  std::string number(uint64_t end) { return std::to_string(below(end)); }
  std::string epoch() { return std::to_string(below(10) == 0 ? below(epoch_ + 2) : epoch_); }
  std::string members() { return std::array{"0", "0,1", "1,2", "0,1,2,3", "3"}[below(5)]; }
  std::string stream(const std::string& of) { return of + ".1." + number(2); }
  std::string boot() { return below(20) == 0 ? number(3) : "1"; }

  Words with_lines(Words words, size_t most) {
    for (uint64_t items = below(most); items > 0; --items) {
      words.push_back(item());
      words.push_back(number(60));
      const uint64_t count = below(3);
      words.push_back(std::to_string(count));
      for (uint64_t i = 0; i < count; ++i) {
        const uint64_t accepted = below(20);
        for (const std::string& word :
             {stream(node()), std::to_string(accepted), number(accepted + 1), number(accepted + 1)})
          words.push_back(word);
      }
    }
    return words;
  }
  Words join() {
    const bool is_filling = below(4) == 0;
    const std::string who = is_filling ? "*" : node();
    return with_lines({epoch(), who, is_filling ? "0" : boot(), is_filling ? "0.0" : "1.2",
                       is_filling ? "0" : "2", number(5) == "0" ? "0" : "1"},
                      4);
  }
  Words sync() {
    const std::string who = node(), of = stream(who);
    uint64_t& last = numbers_[of];
    if (const uint64_t luck = below(20); luck == 0)
      last += 2;
    else if (luck > 3)
      ++last;
    Words words{epoch(), who, boot(), of, std::to_string(last), number(1'000)};
    for (uint64_t items = below(4); items > 0; --items)
      for (const std::string& word : {item(), number(20), number(10), number(10), number(12)})
        words.push_back(word);
    return words;
  }
  Words settle() {
    Words words{epoch(), node()};
    for (uint64_t items = below(3); items > 0; --items)
      for (const std::string& word : {item(), stream(node()), number(20), number(5)})
        words.push_back(word);
    return words;
  }
  Words supply() {
    Words words{epoch()};
    for (uint64_t items = below(3); items > 0; --items) {
      words.push_back(item());
      words.push_back(number(100));
    }
    return words;
  }
  Words arguments_of(Script script) {
    switch (script) {
      case Script::bump:
        if (below(3) != 0) ++epoch_;
        return {epoch(), members(), "1"};
      case Script::check:
        return {node(), number(2)};
      case Script::finish:
        return {};
      case Script::join:
        return join();
      case Script::sync:
        return sync();
      case Script::settle:
        return settle();
      case Script::supply:
        return supply();
      case Script::withdraw:
        return {epoch(), "op" + number(30), item(), number(15)};
      case Script::fence:
      case Script::presume:
        return {epoch(), node()};
      case Script::read_items:
        return {epoch(), item(), item()};
      default:
        return {epoch()};
    }
  }
  Script script() {
    // As often as they stand here.
    constexpr Script kOften[] = {
        Script::sync,       Script::sync,   Script::sync,   Script::sync,   Script::join,
        Script::join,       Script::join,   Script::check,  Script::supply, Script::withdraw,
        Script::read_items, Script::settle, Script::missing};
    constexpr Script kSeldom[] = {Script::alive, Script::bump,   Script::bump,
                                  Script::fence, Script::finish, Script::presume};
    if (below(20) == 0) return kSeldom[below(std::size(kSeldom))];
    return kOften[below(std::size(kOften))];
  }
  // As nodes do it that agree.
  void open_epoch() {
    ++epoch_;
    numbers_.clear();
    const std::string begun = std::to_string(epoch_);
    compare(Script::bump, {begun, "0,1,2,3", "1"});
    compare(Script::join, with_lines({begun, "*", "0", "0.0", "0", "1"}, 6));
    for (const char* const member : {"0", "1", "2", "3"})
      compare(Script::join, with_lines({begun, member, "1", "1.2", "2", "1"}, 4));
  }
  void call_one() {
    const Script called = script();
    const Words words = arguments_of(called);
    const Reply simulated = compare(called, words);
    if (!simulated.elements.empty())
      ++statuses[std::string(name_of(called)) + " " + simulated.elements[0].text];
    if (simulated.is_error()) ++statuses[std::string(name_of(called)) + " (error)"];
  }
  Reply compare(Script called, const Words& words) {
    std::string text(name_of(called));
    for (const std::string& word : words) text += " " + word;
    CAPTURE(text);
    Reply simulated = pair_.simulated(called, 0, words), real = pair_.real(called, 0, words);
    if (called == Script::read_items) {
      for (Reply& hash : simulated.elements) sort_hash(hash);
      for (Reply& hash : real.elements) sort_hash(hash);
    }
    if (simulated.is_error() && real.is_error()) {
      simulated.text = simulated.text.substr(0, simulated.text.find(" script: "));
      real.text = real.text.substr(0, real.text.find(" script: "));
    }
    REQUIRE(simulated.line() == real.line());
    return simulated;
  }
  // In which order old items go is Redis' own; that all have gone in the end is not.
  void purge() {
    const Words words{epoch(), number(3) == "0" ? "2" : "500"};
    for (int calls = 0; calls < 1'000; ++calls)
      if (compare(Script::purge, words).line() != "[OK, 1]") return;
    FAIL("a purge does not end");
  }
  // Pages may differ in size, not what they hold together.
  void read_all() {
    const std::string of = epoch(), state = below(2) == 0 ? "R" : "O",
                      count = below(2) == 0 ? "1" : "100";
    const auto pages = [&](auto call) {
      Words lines;
      for (std::string cursor = "0";;) {
        Reply page = call(Words{of, cursor, count, state});
        if (page.elements.size() < 2 || page.elements[0].text != "OK") return Words{page.line()};
        for (size_t i = 2; i + 1 < page.elements.size(); i += 2) {
          sort_hash(page.elements[i + 1]);
          lines.push_back(page.elements[i].text + page.elements[i + 1].line());
        }
        if ((cursor = page.elements[1].text) == "0") break;
      }
      std::ranges::sort(lines);
      lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
      return lines;
    };
    const Words simulated =
        pages([&](const Words& words) { return pair_.simulated(Script::read, 0, words); });
    REQUIRE(simulated ==
            pages([&](const Words& words) { return pair_.real(Script::read, 0, words); }));
    ++statuses["read " + (simulated.empty() ? "nothing" : simulated[0].substr(0, 3))];
  }

  Pair pair_;
  Random random_;
  uint64_t epoch_ = 1;
  std::map<std::string, uint64_t> numbers_;  // by stream
};

// ---- The network

// Keeps what a link brings.
class Shard final : public cluster::ScriptLink::Owner {
 public:
  Shard(RedisWorld& world, uint32_t node)
      : redis(world.make_access(node)), link(redis->make_link(net(), 1, *this)) {}

  void on_answer(Script, uint32_t, uint64_t number, const redisReply&) override {
    answers.push_back(number);
  }
  void on_refusal(Script, uint32_t) override { ++refusals; }
  void call(uint64_t number, const Words& words = {"0"}) {
    const std::vector<std::string_view> views(words.begin(), words.end());
    link->call(Script::check, 0, number, views);
    link->flush();
  }

  std::unique_ptr<NodeRedis> redis;
  std::unique_ptr<cluster::ScriptLink> link;
  std::vector<uint64_t> answers;
  int refusals = 0;

 private:
  // No link looks at it; on_delivery() only tells which it is.
  static net::Net& net() { return *reinterpret_cast<net::Net*>(&storage_); }
  static inline int storage_ = 0;
};

struct NetworkFixture {
  NetworkFixture() {
    world.add_master();
    world.on_run = [&](uint32_t server, Script, uint32_t, std::span<const std::string>,
                       const Reply&) { ran.push_back(server); };
  }
  cluster::RedisServer address(uint32_t server) const {
    return {.address = {.host = "10.0.0." + std::to_string(server + 1), .port = 6379}};
  }
  void pass(int64_t ns) {
    const int64_t end = clock.now_ns + ns;
    while (world.next_due_ns() <= end) {
      clock.now_ns = std::max(clock.now_ns, world.next_due_ns());
      world.deliver();
    }
    clock.now_ns = end;
  }
  void connect(Shard& shard, uint32_t server = 0) {
    shard.link->connect(address(server));
    pass(kSecond / 10);
    REQUIRE(shard.link->is_up());
  }

  HandClock clock;
  uint64_t seed = seed_of_run();
  RedisWorld world{seed, clock};
  std::vector<uint32_t> ran;  // the server of each script
};

}  // namespace

TEST_SUITE_BEGIN("sim/redis");

TEST_CASE("random calls of all scripts are answered as by a real Redis") {
  const uint64_t seed = seed_of_run();
  CAPTURE(seed);
  MESSAGE("SEED=" << seed);
  const char* const given = std::getenv("CALLS");
  Trace trace(seed);
  trace.run(given != nullptr ? std::atoi(given) : 3'000);
  CHECK(trace.statuses["sync OK"] > 0);
}

TEST_CASE("values and errors of Lua become what Redis makes of them") {
  Pair pair(1);
  for (const char* const source :
       {"return 3.99",
        "return -3.99",
        "return 'text'",
        "return true",
        "return false",
        "return nil",
        "return {1, 'a', nil, 2}",
        "return {1, false, {true, {'x'}}}",
        "return {ok = 'fine'}",
        "return {err = 'ERR wrong'}",
        "return redis.status_reply('fine')",
        "return redis.error_reply('ERR wrong')",
        "return {}",
        "return {a = 1}",
        "return 2 ^ 53",
        "return {redis.call('HSET', KEYS[1], 'f', 1.5), redis.call('HGET', KEYS[1], 'f')}",
        "redis.call('HSET', KEYS[1], 'g', 1e15) return redis.call('HGET', KEYS[1], 'g')",
        "return redis.call('HMGET', KEYS[1], 'f', 'none')",
        "return redis.call('HGET', KEYS[1], 'none') == false",
        "return #redis.call('HGETALL', 'none')",
        "return #redis.call('SPOP', 'none', 5)",
        "return redis.call('SSCAN', 'none', '0', 'COUNT', 5)",
        "return redis.call('SADD', KEYS[1], 'x')",
        "return redis.pcall('SADD', KEYS[1], 'x')",
        "local r = redis.pcall('SADD', KEYS[1], 'x') return r.err ~= nil",
        "return redis.call('UNLINK', KEYS[1])",
        "return redis.call('EXISTS', KEYS[1])",
        "return redis.call('SADD', KEYS[1], 'x', 'y', 'x')",
        "return redis.call('HGET', KEYS[1], 'x')",
        "return redis.call('HKEYS', KEYS[1])",
        "return tonumber(ARGV[1]) + 1",
        "return ARGV[2]",
        "return KEYS[2]"}) {
    CAPTURE(source);
    Reply simulated = pair.simulated(source, {"41"}), real = pair.real(source, 0, {"41"});
    if (real.is_error()) {
      real.text = real.text.substr(0, real.text.find(" script: "));
      simulated.text = simulated.text.substr(0, simulated.text.find(" script: "));
    }
    CHECK(simulated.line() == real.line());
  }
}

TEST_CASE("a planted mistake changes the script for good") {
  HandClock clock;
  RedisWorld world(1, clock);
  world.add_master();
  CHECK(world.run(0, Script::bump, 0, {"5", "0", "1"}).line() == "[OK]");
  CHECK(world.run(0, Script::bump, 0, {"5", "0", "1"}).line() == "[STALE, 5]");
  world.engine().plant(Script::bump, "there >= tonumber(ARGV[1])", "there > tonumber(ARGV[1])");
  CHECK(world.run(0, Script::bump, 0, {"5", "0", "1"}).line() == "[OK]");
}

TEST_CASE_FIXTURE(NetworkFixture,
                  "answers come in the order of the calls and later than they were sent") {
  CAPTURE(seed);
  Shard shard(world, 0);
  connect(shard);
  for (uint64_t number = 1; number <= 50; ++number) shard.call(number);
  world.deliver();
  CHECK(shard.answers.empty());
  uint32_t told = 0;
  world.on_delivery = [&](uint32_t node, net::Net&) { told += node == 0; };
  pass(kSecond);
  REQUIRE(shard.answers.size() == 50);
  CHECK(std::ranges::is_sorted(shard.answers));
  CHECK(told == 50);
}

TEST_CASE_FIXTURE(NetworkFixture, "a lost request has not run and one whose reply is lost has") {
  CAPTURE(seed);
  Shard shard(world, 0);
  connect(shard);
  world.weather.request_lost = 1'000;
  shard.call(1);
  pass(kSecond);
  CHECK(ran.empty());
  shard.link->close("no answer");
  world.weather.request_lost = 0;
  connect(shard);
  world.weather.reply_lost = 1'000;
  shard.call(2);
  pass(kSecond);
  CHECK(ran.size() == 1);
  world.weather.reply_lost = 0;
  shard.call(3);
  pass(kSecond);
  CHECK(ran.size() == 2);
  CHECK(shard.answers.empty());  // behind what was lost nothing arrives
  CHECK(shard.link->is_up());
}

TEST_CASE_FIXTURE(NetworkFixture, "a request outlives the connection that has sent it") {
  CAPTURE(seed);
  Shard shard(world, 0);
  connect(shard);
  shard.call(1);
  shard.link->close("given up");
  shard.redis->cut_off();
  CHECK(ran.empty());
  pass(kSecond);
  CHECK(ran.size() == 1);
  CHECK(shard.answers.empty());
}

TEST_CASE_FIXTURE(NetworkFixture, "who is cut off or cannot be reached is heard no more") {
  CAPTURE(seed);
  Shard lonely(world, 0), cut(world, 1);
  connect(lonely);
  connect(cut);
  world.set_reachable(0, 0, false);
  cut.redis->cut_off();
  lonely.call(1);
  cut.call(1);
  auto caller = cut.redis->make_caller(*cluster::parse_redis_url("redis://10.0.0.1"), 200);
  CHECK(!caller->connect());
  CHECK(cut.redis->take_waited_ns() == 200 * kMillisecond);
  pass(kSecond);
  CHECK(ran.empty());
  CHECK(lonely.link->is_up());
  lonely.link->close("no answer");
  lonely.link->connect(address(0));
  pass(kSecond);
  CHECK(!lonely.link->is_up());
  CHECK(!lonely.link->is_down());
}

TEST_CASE_FIXTURE(NetworkFixture,
                  "a killed server ends its links and one that is paused answers later") {
  CAPTURE(seed);
  Shard shard(world, 0);
  connect(shard);
  world.pause(0);
  shard.call(1);
  pass(kSecond);
  CHECK(shard.answers.empty());
  world.resume(0);
  pass(kSecond);
  CHECK(shard.answers == std::vector<uint64_t>{1});
  world.kill(0);
  pass(kSecond);
  CHECK(shard.link->is_down());
  CHECK(shard.link->problem() == "Server closed the connection");
  shard.link->connect(address(0));
  pass(kSecond);
  CHECK(shard.link->problem() == "Connection refused");
  world.restart(0, RedisWorld::Contents::as_left);
  connect(shard);
  world.refuse_scripts(0, "LOADING Redis is loading the dataset in memory");
  shard.call(2);
  pass(kSecond);
  CHECK(shard.link->problem().starts_with("LOADING"));
}

TEST_CASE_FIXTURE(NetworkFixture,
                  "a restart makes an epoch void whatever the server comes back with") {
  CAPTURE(seed);
  const auto epoch = [&] { return world.run(0, Script::missing, 0, {"7"}).line(); };
  world.save_copy(0);
  CHECK(world.run(0, Script::bump, 0, {"7", "0", "1"}).line() == "[OK]");
  CHECK(epoch() == "[OK, 0]");
  world.restart(0, RedisWorld::Contents::as_left);
  CHECK(epoch() == "[ROLLED, 7]");
  world.restart(0, RedisWorld::Contents::old_copy);
  CHECK(epoch() == "[GONE]");
  world.restart(0, RedisWorld::Contents::none);
  CHECK(world.store(0).keys().empty());
}

TEST_CASE_FIXTURE(NetworkFixture, "a replica that is promoted lacks what had not arrived") {
  CAPTURE(seed);
  const uint32_t replica = world.add_replica(0);
  world.weather.lag_min_ns = world.weather.lag_max_ns = kMillisecond;
  CHECK(world.run(0, Script::bump, 0, {"7", "0", "1"}).line() == "[OK]");
  pass(2 * kMillisecond);
  CHECK(world.store(replica).keys() == world.store(0).keys());
  CHECK(world.run(replica, Script::check, 0, {"0"}).line() == "[REPLICA]");
  CHECK(world.run(0, Script::bump, 0, {"8", "0", "1"}).line() == "[OK]");
  world.promote(replica);
  pass(kSecond);
  // Two masters: each believes that it is the one, and they do not agree.
  CHECK(world.run(replica, Script::missing, 0, {"7"}).line() == "[ROLLED, 7]");
  world.promote(0);
  CHECK(world.run(0, Script::missing, 0, {"8"}).line() == "[OK, 0]");
  world.appoint(replica, RedisWorld::kEverybody, 1);
  CHECK(world.appointed(0, 0) == 0);
  CHECK(world.appointed(1, 0) == replica);
  world.follow(0, replica);
  CHECK(world.run(0, Script::check, 0, {"0"}).line() == "[REPLICA]");
  CHECK(world.store(0).contents(std::string(cluster::state_key(0))) ==
        world.store(replica).contents(std::string(cluster::state_key(0))));
}

TEST_CASE_FIXTURE(NetworkFixture, "blocking calls fail as they would and say where") {
  CAPTURE(seed);
  const auto redis = world.make_access(4);
  const auto caller = redis->make_caller(*cluster::parse_redis_url("redis://10.0.0.1"), 200);
  const auto told = [&] {
    if (const Status status = caller->connect(); !status) return status.error().message;
    const auto answer = caller->call(0, Script::check, {"0"});
    return answer ? answer->values[0].text : answer.error().message;
  };
  CHECK(told() == "GONE");
  world.weather.reply_lost = 1'000;
  CHECK(told() == "Redis at 10.0.0.1:6379: no answer in time");
  CHECK(ran.size() == 2);
  world.weather = {.request_late = 1'000};
  CHECK(told() == "Redis at 10.0.0.1:6379: no answer in time");
  CHECK(ran.size() == 2);
  pass(4 * kSecond);
  CHECK(ran.size() == 3);
  world.weather = {.slot_refused = 1'000};
  CHECK(told() == "Redis at 10.0.0.1:6379: MOVED 1 10.0.0.0:6379");
  world.weather = {};
  world.refuse_writes(0, "OOM command not allowed when used memory > 'maxmemory'.");
  CHECK(told() == "GONE");
  CHECK(caller->call(0, Script::bump, {"5", "0", "1"})
            .error()
            .message.starts_with("Redis at 10.0.0.1:6379: OOM command not allowed"));
  world.kill(0);
  CHECK(told() == "Redis at 10.0.0.1:6379: Server closed the connection");
  CHECK(told() == "Redis at 10.0.0.1:6379: Connection refused");
  world.appoint(RedisWorld::kNobody);
  CHECK(told() == "nobody can say where the ledger's master is");
  const uint32_t second = world.add_master();
  world.appoint(second);
  CHECK(told() == "GONE");
  world.appoint(0);
  CHECK(caller->has_moved());
}

TEST_CASE("the same seed makes the same of everything") {
  const auto trace_of = [](uint64_t seed) {
    HandClock clock;
    RedisWorld world(seed, clock);
    world.add_master();
    world.weather = {
        .request_lost = 50, .reply_lost = 50, .request_late = 100, .connection_ended = 50};
    std::string trace;
    world.on_run = [&](uint32_t, Script script, uint32_t, std::span<const std::string> words,
                       const Reply& reply) {
      trace += std::to_string(clock.now_ns) + " " + std::string(name_of(script)) + " " + words[0] +
               " " + reply.line() + "\n";
    };
    Shard shard(world, 0);
    for (uint64_t number = 1; number < 300; ++number) {
      if (shard.link->is_down())
        shard.link->connect({.address = {.host = "10.0.0.1", .port = 6379}});
      if (shard.link->is_up()) shard.call(number, {std::to_string(number)});
      if (number % 50 == 0) shard.link->close("no answer");
      clock.now_ns += 20 * kMillisecond;
      world.deliver();
    }
    for (const uint64_t answer : shard.answers) trace += " " + std::to_string(answer);
    return trace;
  };
  const uint64_t seed = seed_of_run();
  CAPTURE(seed);
  CHECK(trace_of(seed) == trace_of(seed));
  CHECK(trace_of(seed) != trace_of(seed + 1));
}

TEST_SUITE_END();
