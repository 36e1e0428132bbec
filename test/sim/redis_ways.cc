#include "redis_ways.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <charconv>
#include <deque>

#include "base/check.h"

namespace stampede::sim {
namespace {

using cluster::RedisValue;

// As hiredis would have read it. Lives as long as the reply.
class ReplyTree {
 public:
  explicit ReplyTree(const Reply& reply) : root_(&add(reply)) {}
  const redisReply& root() const { return *root_; }

 private:
  redisReply& add(const Reply& reply) {
    constexpr int kTypes[] = {REDIS_REPLY_NIL,    REDIS_REPLY_INTEGER, REDIS_REPLY_STRING,
                              REDIS_REPLY_STATUS, REDIS_REPLY_ERROR,   REDIS_REPLY_ARRAY};
    std::vector<redisReply*>& elements = lists_.emplace_back();
    for (const Reply& element : reply.elements) elements.push_back(&add(element));
    redisReply& made = replies_.emplace_back();
    made = {};
    made.type = kTypes[static_cast<unsigned>(reply.kind)];
    made.integer = reply.integer;
    made.str = const_cast<char*>(reply.text.data());
    made.len = reply.text.size();
    made.elements = elements.size();
    made.element = elements.data();
    return made;
  }

  std::deque<std::vector<redisReply*>> lists_;
  std::deque<redisReply> replies_;
  redisReply* root_;
};

RedisValue value_of(const Reply& reply) {
  RedisValue value{
      .is_nil = reply.kind == Reply::Kind::nil,
      .integer = reply.integer,
      .text = reply.kind == Reply::Kind::integer ? std::to_string(reply.integer) : reply.text};
  if (reply.kind == Reply::Kind::text || reply.kind == Reply::Kind::status)
    std::from_chars(reply.text.data(), reply.text.data() + reply.text.size(), value.integer);
  for (const Reply& element : reply.elements) value.values.push_back(value_of(element));
  return value;
}

}  // namespace

// ---- NodeRedis

std::unique_ptr<cluster::ScriptCaller> NodeRedis::make_caller(const cluster::RedisUrl& url,
                                                              int64_t timeout_ms) {
  return std::make_unique<SimulatedCaller>(*this, url.group_count(), timeout_ms);
}

std::unique_ptr<cluster::ScriptLink> NodeRedis::make_link(net::Net& net, uint64_t token,
                                                          cluster::ScriptLink::Owner& owner) {
  return std::make_unique<SimulatedLink>(*this, net, token, owner);
}

void NodeRedis::let_others() {
  if (!before_call || std::exchange(is_letting_others_, true)) return;
  before_call();
  is_letting_others_ = false;
}

// ---- The link

SimulatedLink::~SimulatedLink() {
  if (wire_) wire_->link = nullptr;
}

void SimulatedLink::connect(const cluster::RedisServer& server) {
  CHECK(is_down());
  problem_.clear();
  state_ = State::connecting;
  wire_ = std::make_shared<RedisWorld::Wire>();
  wire_->link = this;
  wire_->node = redis_.node_;
  wire_->server = redis_.world_.server_at(server);
  if (!redis_.is_cut_off_) redis_.world_.open_wire(wire_);
}

void SimulatedLink::close(std::string_view why) {
  if (!wire_) return;
  wire_->link = nullptr;
  wire_.reset();
  unsent_.clear();
  problem_ = why;
  state_ = State::down;
}

void SimulatedLink::call(cluster::Script script, uint32_t group, uint64_t number,
                         std::span<const std::string_view> arguments) {
  CHECK(is_up());
  unsent_.push_back({.wire = wire_,
                     .script = script,
                     .group = group,
                     .number = number,
                     .arguments = Words(arguments.begin(), arguments.end())});
}

void SimulatedLink::flush() {
  for (RedisWorld::Request& request : std::exchange(unsent_, {}))
    if (!redis_.is_cut_off_) redis_.world_.send(std::move(request));
}

void SimulatedLink::tell() {
  if (redis_.world_.on_delivery) redis_.world_.on_delivery(redis_.node_, net_);
}

void SimulatedLink::on_up() {
  if (redis_.is_cut_off_ || state_ != State::connecting) return;
  state_ = State::up;
  tell();
}

void SimulatedLink::on_end(const std::string& why) {
  if (redis_.is_cut_off_) return;
  close(why);
  tell();
}

// As RedisLink: an error in place of an answer ends the connection, unless it is about a slot.
void SimulatedLink::on_reply(cluster::Script script, uint32_t group, uint64_t number,
                             const Reply& reply) {
  if (redis_.is_cut_off_) return;
  if (reply.is_error() && reply.text.starts_with("MOVED ")) {
    owner_.on_refusal(script, group);
  } else if (reply.is_error()) {
    close(reply.text);
  } else {
    const ReplyTree tree(reply);
    owner_.on_answer(script, group, number, tree.root());
  }
  tell();
}

// ---- The caller

SimulatedCaller::SimulatedCaller(NodeRedis& redis, uint32_t group_count, int64_t timeout_ms)
    : redis_(redis),
      world_(redis.world_),
      timeout_ns_(timeout_ms * kMillisecond),
      servers_(group_count),
      numbers_(group_count) {}

Error SimulatedCaller::named(uint32_t server, const std::string& what) const {
  return {"Redis at " + text_of(world_.address_of(server).address) + ": " + what};
}

void SimulatedCaller::disconnect() {
  connected_.clear();
  unplaced_ = ~uint32_t{0};
}

void SimulatedCaller::disconnect(uint32_t group) {
  connected_.erase(numbers_[group]);
  unplaced_ |= uint32_t{1} << group;
}

bool SimulatedCaller::is_connected(uint32_t group) const {
  return is_placed(group) && connected_.contains(numbers_[group]);
}

bool SimulatedCaller::has_moved() {
  if (redis_.is_cut_off_ || unplaced_ != 0) return false;
  for (uint32_t group = 0; group < group_count(); ++group) {
    const uint32_t now = world_.appointed(redis_.node_, group);
    if (now != RedisWorld::kNobody && now != numbers_[group]) return true;
  }
  return false;
}

Status SimulatedCaller::connect() {
  for (uint32_t group = 0; group < group_count(); ++group) {
    if (is_connected(group)) continue;
    const uint32_t server = world_.appointed(redis_.node_, group);
    if (server == RedisWorld::kNobody) return Error{"nobody can say where the ledger's master is"};
    numbers_[group] = server;
    servers_[group] = world_.address_of(server);
  }
  unplaced_ = 0;
  Status problem = Ok{};
  std::set<uint32_t> tried;
  for (const uint32_t server : numbers_) {
    if (connected_.contains(server) || !tried.insert(server).second) continue;
    Status opened = open(server);
    if (!opened && problem) problem = opened;
  }
  std::erase_if(connected_, [&](const auto& each) {
    return std::ranges::find(numbers_, each.first) == numbers_.end();
  });
  return problem;
}

Status SimulatedCaller::open(uint32_t number) {
  const RedisWorld::Server& server = *world_.servers_[number];
  if (redis_.is_cut_off_ || !world_.is_reachable(redis_.node_, number) || server.is_paused) {
    redis_.waited_ns_ += timeout_ns_;
    return named(number, "Connection timed out");
  }
  redis_.waited_ns_ += world_.delay_ns() + world_.delay_ns();
  if (!server.is_running) return named(number, "Connection refused");
  if (!server.refused_scripts.empty()) return named(number, server.refused_scripts);
  if (!server.is_master)
    return named(number, "is a slave: name the master, or use redis+sentinel://");
  connected_[number] = server.life;
  return Ok{};
}

// The connection ends with it; whether the script ran is not known.
Error SimulatedCaller::lose(uint32_t group, const std::string& why) {
  const uint32_t server = numbers_[group];
  disconnect(group);
  return named(server, why);
}

// A request that is late runs some time after its caller has given up, unless the server ends before.
void SimulatedCaller::run_late(uint32_t server, RedisWorld::Request request) {
  request.wire = std::make_shared<RedisWorld::Wire>();
  request.wire->node = redis_.node_;
  request.wire->server = server;
  request.wire->life = connected_.at(server);
  const int64_t late_ns = world_.between(0, world_.weather.late_max_ns);
  world_.at(world_.now_ns() + timeout_ns_ + late_ns,
            [this_world = &world_, request] { this_world->arrive(request); });
}

Result<RedisValue> SimulatedCaller::call(uint32_t group, cluster::Script script,
                                         const std::vector<std::string>& arguments) {
  redis_.let_others();
  if (!is_connected(group)) return Error{"not connected"};
  const uint32_t number = numbers_[group];
  const RedisWorld::Server& server = *world_.servers_[number];
  const RedisWeather& weather = world_.weather;
  const char* const kNoAnswer = "no answer in time";
  const bool is_lost = redis_.is_cut_off_ || !world_.is_reachable(redis_.node_, number) ||
                       world_.has_luck(weather.request_lost);
  const bool is_late = !is_lost && (server.is_paused || world_.has_luck(weather.request_late));
  if (is_lost || is_late) redis_.waited_ns_ += timeout_ns_;
  if (is_late) run_late(number, {.script = script, .group = group, .arguments = arguments});
  if (is_lost || is_late) return lose(group, kNoAnswer);
  redis_.waited_ns_ += world_.delay_ns() + world_.delay_ns();
  if (!server.is_running || server.life != connected_.at(number))
    return lose(group, "Server closed the connection");
  const bool ends = world_.has_luck(weather.connection_ended);
  if (ends && world_.has_luck(500)) return lose(group, "Connection reset by peer");
  const Reply reply = world_.has_luck(weather.slot_refused)
                          ? Reply::error("MOVED 1 10.0.0.0:6379")
                          : world_.run(number, script, group, arguments);
  if (ends) return lose(group, "Server closed the connection");
  if (world_.has_luck(weather.reply_lost)) {
    redis_.waited_ns_ += timeout_ns_;
    return lose(group, kNoAnswer);
  }
  if (!reply.is_error()) return value_of(reply);
  // What the server refuses is the group's alone: the connection stays.
  unplaced_ |= uint32_t{1} << group;
  return named(number, reply.text);
}

}  // namespace stampede::sim
