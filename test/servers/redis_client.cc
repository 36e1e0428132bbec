#include "redis_client.h"

#include <hiredis/hiredis.h>
#include <sys/time.h>

#include <memory>

namespace stampede::servers {
namespace {

RedisReply from(const redisReply& reply) {
  RedisReply result;
  switch (reply.type) {
    case REDIS_REPLY_NIL:
      result.kind = RedisReply::Kind::nil;
      break;
    case REDIS_REPLY_INTEGER:
      result.kind = RedisReply::Kind::integer;
      result.integer = reply.integer;
      break;
    case REDIS_REPLY_ARRAY:
      result.kind = RedisReply::Kind::array;
      for (size_t i = 0; i < reply.elements; ++i)
        result.elements.push_back(from(*reply.element[i]));
      break;
    default:
      result.kind = reply.type == REDIS_REPLY_ERROR ? RedisReply::Kind::error  //
                                                    : RedisReply::Kind::text;
      result.text.assign(reply.str, reply.len);
  }
  return result;
}

RedisReply no_reply(const char* why) {
  RedisReply reply;
  reply.text = why;
  return reply;
}

timeval to_timeval(std::chrono::milliseconds time) {
  return {.tv_sec = time.count() / 1000, .tv_usec = time.count() % 1000 * 1000};
}

}  // namespace

std::string RedisReply::line() const {
  switch (kind) {
    case Kind::none:
      return "(no reply: " + text + ")";
    case Kind::nil:
      return "nil";
    case Kind::integer:
      return std::to_string(integer);
    case Kind::text:
      return text;
    case Kind::error:
      return "-" + text;
    case Kind::array:
      break;
  }
  std::string result;
  for (const RedisReply& element : elements)
    result += (result.empty() ? "" : ", ") + element.line();
  return "[" + result + "]";
}

RedisReply RedisClient::command(const std::vector<std::string>& words) {
  if (connection_ == nullptr)
    if (RedisReply greeting = connect(); !greeting.has_come() || greeting.is_error()) {
      disconnect();
      return greeting;
    }
  RedisReply reply = exchange(words);
  if (!reply.has_come()) disconnect();
  return reply;
}

void RedisClient::disconnect() {
  if (connection_ != nullptr) redisFree(connection_);
  connection_ = nullptr;
}

RedisReply RedisClient::exchange(const std::vector<std::string>& words) {
  std::vector<const char*> starts;
  std::vector<size_t> sizes;
  for (const std::string& word : words) {
    starts.push_back(word.data());
    sizes.push_back(word.size());
  }
  void* answer =
      redisCommandArgv(connection_, static_cast<int>(words.size()), starts.data(), sizes.data());
  if (answer == nullptr) return no_reply(connection_->errstr);
  std::unique_ptr<void, void (*)(void*)> owner(answer, freeReplyObject);
  return from(*static_cast<redisReply*>(answer));
}

RedisReply RedisClient::connect() {
  disconnect();
  timeval patience = to_timeval(options_.patience);
  connection_ = redisConnectWithTimeout("127.0.0.1", port_, patience);
  if (connection_ == nullptr) return no_reply("out of memory");
  if (connection_->err != 0) return no_reply(connection_->errstr);
  redisSetTimeout(connection_, patience);
  RedisReply none_needed;
  none_needed.kind = RedisReply::Kind::nil;
  if (options_.password.empty()) return none_needed;
  if (options_.user.empty()) return exchange({"AUTH", options_.password});
  return exchange({"AUTH", options_.user, options_.password});
}

}  // namespace stampede::servers
