#include "ledger/redis_client.h"

#include <hiredis/hiredis.h>
#include <netdb.h>

#include <charconv>
#include <cstring>
#include <memory>

#include "net/address.h"

namespace stampede::ledger {
namespace {

constexpr unsigned kRedisMajorMin = 7;

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};

timeval to_timeval(int64_t ms) {
  return {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

RedisValue value_of(const redisReply& reply) {
  RedisValue value;
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      value.integer = reply.integer;
      value.text = std::to_string(reply.integer);
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      value.text = std::string(reply.str, reply.len);
      std::from_chars(reply.str, reply.str + reply.len, value.integer);
      break;
    case REDIS_REPLY_ARRAY:
      for (size_t i = 0; i < reply.elements; ++i)
        value.values.push_back(value_of(*reply.element[i]));
      break;
    default:
      value.is_nil = true;
  }
  return value;
}

// "name:value\r\n" of INFO; empty when it is not there.
std::string info_field(std::string_view info, std::string_view name) {
  const std::string key = "\n" + std::string(name) + ":";
  const size_t at = info.find(key);
  if (at == info.npos) return {};
  const size_t begin = at + key.size();
  return std::string(info.substr(begin, info.find('\r', begin) - begin));
}

// A numeric address, so that shards need not ask a name server.
Result<HostPort> resolved(const HostPort& server) {
  const addrinfo hints{
      .ai_flags = AI_ADDRCONFIG, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(server.host.c_str(), nullptr, &hints, &found); error != 0)
    return Error{server.host + ": " + ::gai_strerror(error)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, ::freeaddrinfo);
  char text[NI_MAXHOST];
  if (::getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0,
                    NI_NUMERICHOST) != 0)
    return Error{server.host + ": has no address"};
  return HostPort{.host = text, .port = server.port};
}

Result<RedisValue> ask(redisContext* context, const std::vector<std::string>& words) {
  std::vector<const char*> texts;
  std::vector<size_t> lengths;
  for (const std::string& word : words) {
    texts.push_back(word.data());
    lengths.push_back(word.size());
  }
  const Reply reply(static_cast<redisReply*>(
      redisCommandArgv(context, static_cast<int>(words.size()), texts.data(), lengths.data())));
  if (reply == nullptr) {
    const bool is_late = context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
    return Error{is_late ? "no answer in time" : context->errstr};
  }
  if (reply->type == REDIS_REPLY_ERROR) return Error{std::string(reply->str, reply->len)};
  return value_of(*reply);
}

// Refused by the access list: a command of ours, or one inside a script.
bool is_about_rights(const std::string& error) {
  return error.starts_with("NOPERM") ||
         error.find("The user executing the script can't") != error.npos;
}

}  // namespace

RedisClient::RedisClient(RedisUrl url, int64_t timeout_ms)
    : url_(std::move(url)), timeout_ms_(timeout_ms) {}

RedisClient::~RedisClient() {
  disconnect();
}

void RedisClient::disconnect() {
  if (context_ != nullptr) redisFree(std::exchange(context_, nullptr));
}

Error RedisClient::lose(const std::string& what) {
  disconnect();
  std::string message = "Redis at " + text_of(server_.address) + ": " + what;
  if (is_about_rights(what))
    message += ": allow it with ACL SETUSER " + (url_.user.empty() ? "default" : url_.user) + " " +
               std::string(kRedisRights);
  return Error{std::move(message)};
}

Status RedisClient::open(const HostPort& address) {
  disconnect();
  context_ = redisConnectWithTimeout(address.host.c_str(), address.port, to_timeval(timeout_ms_));
  if (context_ == nullptr) return Error{"out of memory"};
  if (context_->err != 0) return lose(context_->errstr);
  redisSetTimeout(context_, to_timeval(timeout_ms_));
  return Ok{};
}

Status RedisClient::connect() {
  Result<RedisServer> server = find_server();
  if (!server) return server.error();
  server_ = *server;
  shas_ = {};
  if (Status status = open(server_.address); !status) return status;
  if (Status status = greet(); !status) return status;
  return check();
}

Result<RedisServer> RedisClient::find_server() {
  RedisServer server{
      .address = {}, .user = url_.user, .password = url_.password, .database = url_.database};
  Result<HostPort> named = url_.hosts.front();
  if (url_.kind == RedisUrl::Kind::sentinel) named = ask_hosts(&RedisClient::ask_sentinel);
  if (url_.kind == RedisUrl::Kind::cluster) named = ask_hosts(&RedisClient::ask_cluster);
  if (!named) return named.error();
  Result<HostPort> address = resolved(*named);
  if (!address) return address.error();
  server.address = *address;
  return server;
}

// The first of the hosts that answers decides; one that is down or does not know is passed over.
Result<HostPort> RedisClient::ask_hosts(Result<HostPort> (RedisClient::*ask_one)(redisContext*)) {
  std::string problem;
  for (const HostPort& host : url_.hosts) {
    const std::unique_ptr<redisContext, FreeContext> context(
        redisConnectWithTimeout(host.host.c_str(), host.port, to_timeval(timeout_ms_)));
    if (context == nullptr || context->err != 0) {
      problem = text_of(host) + ": " + (context == nullptr ? "out of memory" : context->errstr);
      continue;
    }
    redisSetTimeout(context.get(), to_timeval(timeout_ms_));
    Result<HostPort> answer = (this->*ask_one)(context.get());
    if (answer) return answer;
    problem = text_of(host) + ": " + answer.error().message;
  }
  return Error{"nobody can say where the ledger's master is; the last one asked, " + problem};
}

Result<HostPort> RedisClient::ask_sentinel(redisContext* context) {
  Result<RedisValue> answer = ask(context, {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", url_.master});
  if (!answer) return answer.error();
  if (answer->values.size() != 2) return Error{"knows no master named " + url_.master};
  return HostPort{.host = answer->values[0].text,
                  .port = static_cast<uint16_t>(answer->values[1].integer)};
}

// All keys of the ledger share a hash tag, so one master of the cluster has all of them.
Result<HostPort> RedisClient::ask_cluster(redisContext* context) {
  if (!url_.password.empty()) {
    std::vector<std::string> words = {"AUTH"};
    if (!url_.user.empty()) words.push_back(url_.user);
    words.push_back(url_.password);
    if (Result<RedisValue> greeted = ask(context, words); !greeted) return greeted.error();
  }
  Result<RedisValue> slot = ask(context, {"CLUSTER", "KEYSLOT", std::string(kKeyPrefix)});
  if (!slot) return slot.error();
  Result<RedisValue> ranges = ask(context, {"CLUSTER", "SLOTS"});
  if (!ranges) return ranges.error();
  for (const RedisValue& range : ranges->values) {
    if (range.values.size() < 3 || range.values[2].values.size() < 2) continue;
    if (slot->integer < range.values[0].integer || slot->integer > range.values[1].integer)
      continue;
    const RedisValue& master = range.values[2];
    return HostPort{.host = master.values[0].text,
                    .port = static_cast<uint16_t>(master.values[1].integer)};
  }
  return Error{"no master of the cluster serves slot " + slot->text};
}

bool RedisClient::has_moved() {
  if (url_.kind == RedisUrl::Kind::single) return false;
  Result<RedisServer> server = find_server();
  return server && !(*server == server_);
}

Status RedisClient::greet() {
  if (!url_.password.empty()) {
    std::vector<std::string> words = {"AUTH"};
    if (!url_.user.empty()) words.push_back(url_.user);
    words.push_back(url_.password);
    if (Result<RedisValue> answer = command(words); !answer) return answer.error();
  }
  if (url_.database == 0) return Ok{};
  if (Result<RedisValue> answer = command({"SELECT", std::to_string(url_.database)}); !answer)
    return answer.error();
  return Ok{};
}

// What would make a promise of the ledger untrue is refused here, before anything is sold.
Status RedisClient::check() {
  Result<RedisValue> info = command({"INFO"});
  if (!info) return info.error();
  const std::string version = info_field(info->text, "redis_version");
  if (std::atoi(version.c_str()) < static_cast<int>(kRedisMajorMin))
    return lose("is version " + version + ", the ledger needs " + std::to_string(kRedisMajorMin) +
                ".0 or later");
  if (const std::string role = info_field(info->text, "role"); role != "master")
    return lose("is a " + role + ": name the master, or use redis+sentinel://");
  const std::string policy = info_field(info->text, "maxmemory_policy");
  if (policy != "noeviction")
    return lose("evicts keys (maxmemory-policy " + policy + "): set maxmemory-policy noeviction");
  return Ok{};
}

Result<RedisValue> RedisClient::command(const std::vector<std::string>& words) {
  if (context_ == nullptr) return Error{"not connected"};
  Result<RedisValue> answer = ask(context_, words);
  if (!answer) return lose(answer.error().message);
  return answer;
}

Result<RedisValue> RedisClient::call(Script script, const std::vector<std::string>& arguments) {
  if (context_ == nullptr) return Error{"not connected"};
  std::string& sha = shas_[static_cast<unsigned>(script)];
  for (int attempt = 0;; ++attempt) {
    if (sha.empty()) {
      Result<RedisValue> loaded = command({"SCRIPT", "LOAD", std::string(source_of(script))});
      if (!loaded) return loaded.error();
      sha = loaded->text;
    }
    std::vector<std::string> words = {"EVALSHA", sha, "1", std::string(kKeyPrefix)};
    words.insert(words.end(), arguments.begin(), arguments.end());
    Result<RedisValue> answer = ask(context_, words);
    if (answer && !answer->values.empty()) return answer;
    if (answer) return lose("a script was answered with something that is no array");
    // SCRIPT FLUSH, or a server that has never seen it: it did not run.
    const bool is_unknown = answer.error().message.starts_with("NOSCRIPT");
    if (!is_unknown || attempt > 0) return lose(answer.error().message);
    sha.clear();
  }
}

}  // namespace stampede::ledger
