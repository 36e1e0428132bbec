// A blocking Redis client for tests: one command, one reply, and a lost connection is a value.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "await.h"

struct redisContext;

namespace stampede::servers {

struct RedisReply {
  enum class Kind { none, nil, integer, text, error, array };

  Kind kind = Kind::none;  // none: no reply came, and `text` says why
  int64_t integer = 0;
  std::string text;  // of a text, a status or an error: "OK", "READONLY You can't write …"
  std::vector<RedisReply> elements;

  bool is_error() const { return kind == Kind::error; }
  bool has_come() const { return kind != Kind::none; }
  // For a reader: "OK", "3", "nil", "-READONLY You …", "[a, 3, nil]", "(no reply: Connection refused)".
  std::string line() const;
};

// One thread. Connects when first used, and again after a connection was lost.
class RedisClient {
 public:
  struct Options {
    std::string user;      // empty: the default user
    std::string password;  // empty: no AUTH
    std::chrono::milliseconds patience = kPatience;
  };

  explicit RedisClient(uint16_t port) : RedisClient(port, Options{}) {}
  RedisClient(uint16_t port, Options options) : port_(port), options_(std::move(options)) {}
  ~RedisClient() { disconnect(); }
  RedisClient(const RedisClient&) = delete;

  RedisReply command(const std::vector<std::string>& words);
  // Connects without a command and gives the password; what says no is the reply, else nil.
  RedisReply connect();
  void disconnect();

 private:
  RedisReply exchange(const std::vector<std::string>& words);

  const uint16_t port_;
  const Options options_;
  redisContext* connection_ = nullptr;
};

}  // namespace stampede::servers
