#include "cluster/redis_connection.h"

#include <hiredis/hiredis.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <system_error>
#include <vector>

#include "cluster/reply_bounds.h"

namespace stampede::cluster {
namespace {

constexpr unsigned kRedisMajorMin = 7;
constexpr char kLate[] = "no answer in time";

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

using SteadyClock = std::chrono::steady_clock;

// False: the time is up, or the wait was interrupted.
bool await(int socket, short events, SteadyClock::time_point deadline,
           const Interruption& interruption) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
  if (left.count() <= 0) return false;
  pollfd entries[] = {{.fd = socket, .events = events, .revents = 0},
                      {.fd = interruption.descriptor(), .events = POLLIN, .revents = 0}};
  // A signal, or a clock that is coarser than the deadline: the caller looks again.
  const int ready =
      ::poll(entries, 2, static_cast<int>(std::min<int64_t>(left.count(), INT32_MAX)));
  return ready != 0 && (ready < 0 || entries[1].revents == 0);
}

// An empty text: connected.
std::string finish_connecting(int socket, SteadyClock::time_point deadline,
                              const Interruption& interruption) {
  for (;;) {
    if (!await(socket, POLLOUT, deadline, interruption)) return "Connection timed out";
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return std::system_category().message(error);
    sockaddr_storage peer;
    socklen_t peer_size = sizeof peer;
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0) return {};
  }
}

// As hiredis has it: a name of which only the address of version 4 is served, and the other dropped, costs no timeout.
std::vector<const addrinfo*> ipv4_first(const addrinfo* found) {
  std::vector<const addrinfo*> addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) addresses.push_back(at);
  std::ranges::stable_partition(addresses,
                                [](const addrinfo* at) { return at->ai_family == AF_INET; });
  return addresses;
}

// hiredis' own way of connecting cannot be interrupted. The first of the name's addresses that lets us in; a socket that does not block.
Result<int> connect_to(const HostPort& server, SteadyClock::time_point deadline,
                       const Interruption& interruption) {
  // A name's address may take long, and cannot be interrupted.
  if (interruption.has_come()) return Error{"the server stops"};
  const addrinfo hints{.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  const std::string port = std::to_string(server.port);
  if (const int error = ::getaddrinfo(server.host.c_str(), port.c_str(), &hints, &found);
      error != 0)
    return Error{::gai_strerror(error)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, ::freeaddrinfo);
  std::string problem = "has no address";
  for (const addrinfo* at : ipv4_first(found)) {
    const int socket = ::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket < 0) {
      problem = std::system_category().message(errno);
      continue;
    }
    if (::connect(socket, at->ai_addr, at->ai_addrlen) == 0 || errno == EINPROGRESS)
      problem = finish_connecting(socket, deadline, interruption);
    else
      problem = std::system_category().message(errno);
    const int is_on = 1;
    if (problem.empty() &&
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &is_on, sizeof is_on) == 0)
      return socket;
    ::close(socket);
  }
  return Error{problem};
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

// Refused by the access list: a command of ours, or one inside a script.
bool is_about_rights(const std::string& error) {
  return error.starts_with("NOPERM") ||
         error.find("The user executing the script can't") != error.npos;
}

}  // namespace

RedisConnection::RedisConnection(const RedisServer& server, redisContext* context,
                                 int64_t timeout_ms, const Interruption& interruption)
    : server_(server), context_(context), timeout_(timeout_ms), interruption_(interruption) {}

RedisConnection::~RedisConnection() {
  redisFree(context_);
}

Result<std::unique_ptr<RedisConnection>> RedisConnection::open(const RedisServer& server,
                                                               int64_t timeout_ms,
                                                               const Interruption& interruption) {
  const Deadline deadline = SteadyClock::now() + std::chrono::milliseconds(timeout_ms);
  const Result<int> socket = connect_to(server.address, deadline, interruption);
  redisContext* const context = socket ? redisConnectFd(*socket) : nullptr;
  std::unique_ptr<RedisConnection> connection(
      new RedisConnection(server, context, timeout_ms, interruption));
  if (!socket) return connection->named(socket.error().message);
  if (context == nullptr) return Error{"out of memory"};
  bound_replies(*context->reader);
  // hiredis' own timeout is of each read, so a server that drips bytes would be waited for without end.
  context->flags &= ~REDIS_BLOCK;
  return connection;
}

Error RedisConnection::named(const std::string& what) const {
  std::string message = "Redis at " + text_of(server_.address) + ": " + what;
  if (is_about_rights(what))
    message += ": allow it with ACL SETUSER " + (server_.user.empty() ? "default" : server_.user) +
               " " + std::string(kRedisRights);
  if (what.starts_with("CLUSTERDOWN The cluster is down"))
    message += ": with cluster-require-full-coverage no the masters that are there would go on";
  return Error{std::move(message)};
}

// A Sentinel has the port of a Redis and most of its manners.
Error RedisConnection::is_sentinel() const {
  return {"is a Sentinel: use redis+sentinel://" + text_of(server_.address) +
          "/MASTER with the name under which it watches the master"};
}

Status RedisConnection::greet() {
  if (!server_.password.empty()) {
    std::vector<std::string> words = {"AUTH"};
    if (!server_.user.empty()) words.push_back(server_.user);
    words.push_back(server_.password);
    if (Result<RedisValue> answer = command(words); !answer) return answer.error();
  }
  if (server_.database == 0) return Ok{};
  Result<RedisValue> selected = command({"SELECT", std::to_string(server_.database)});
  if (selected) return Ok{};
  if (selected.error().message.starts_with("ERR unknown command")) return is_sentinel();
  return selected.error();
}

// A server with which a promise of the ledger would be untrue is refused here, before anything is sold.
Status RedisConnection::check(bool is_in_cluster) {
  Result<RedisValue> info = command({"INFO"});
  if (!info) return info.error();
  if (info_field(info->text, "redis_mode") == "sentinel") return is_sentinel();
  const std::string version = info_field(info->text, "redis_version");
  if (std::atoi(version.c_str()) < static_cast<int>(kRedisMajorMin))
    return Error{"is version " + version + ", the ledger needs " + std::to_string(kRedisMajorMin) +
                 ".0 or later"};
  if (const std::string role = info_field(info->text, "role"); role != "master")
    return Error{"is a " + role + ": name the master, or use redis+sentinel://"};
  const std::string policy = info_field(info->text, "maxmemory_policy");
  if (policy != "noeviction")
    return Error{"evicts keys (maxmemory-policy " + policy + "): set maxmemory-policy noeviction"};
  // A node that takes one master for the whole ledger would count items there that the others count at another master.
  if (!is_in_cluster && info_field(info->text, "cluster_enabled") == "1")
    return Error{"belongs to a Redis Cluster: use redis+cluster://"};
  return Ok{};
}

// Bytes that came without a question: every answer after them would be taken for the next question's.
bool RedisConnection::has_surplus() const {
  char byte;
  return context_->reader->pos != context_->reader->len ||
         ::recv(context_->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

Error RedisConnection::broken(const std::string& why) {
  is_broken_ = true;
  return Error{why};
}

std::string RedisConnection::send(const std::vector<std::string>& words, Deadline deadline) {
  std::vector<const char*> texts;
  std::vector<size_t> lengths;
  for (const std::string& word : words) {
    texts.push_back(word.data());
    lengths.push_back(word.size());
  }
  if (redisAppendCommandArgv(context_, static_cast<int>(words.size()), texts.data(),
                             lengths.data()) != REDIS_OK)
    return error_text(*context_);
  for (int is_done = 0; is_done == 0;) {
    if (redisBufferWrite(context_, &is_done) != REDIS_OK) return error_text(*context_);
    if (is_done == 0 && !await(context_->fd, POLLOUT, deadline, interruption_)) return kLate;
  }
  return {};
}

std::string RedisConnection::receive(void*& reply, Deadline deadline) {
  const redisReader& reader = *context_->reader;
  for (size_t taken = 0;;) {
    if (redisGetReplyFromReader(context_, &reply) != REDIS_OK) return error_text(*context_);
    if (reply != nullptr) return {};
    if (taken > reply_bytes_max) return kReplyTooLarge;
    if (!await(context_->fd, POLLIN, deadline, interruption_)) return kLate;
    const size_t before = reader.len;
    if (redisBufferRead(context_) != REDIS_OK) return error_text(*context_);
    taken += reader.len - before;
  }
}

Result<RedisValue> RedisConnection::command(const std::vector<std::string>& words) {
  if (has_surplus()) return broken("the connection brought bytes that no command had asked for");
  const Deadline deadline = SteadyClock::now() + timeout_;
  void* received = nullptr;
  std::string problem = send(words, deadline);
  if (problem.empty()) problem = receive(received, deadline);
  if (!problem.empty()) return broken(problem);
  const Reply reply(static_cast<redisReply*>(received));
  if (reply->type == REDIS_REPLY_ERROR) return Error{std::string(reply->str, reply->len)};
  return value_of(*reply);
}

Result<RedisValue> RedisConnection::call(uint32_t group, Script script,
                                         const std::vector<std::string>& arguments) {
  std::string& sha = shas_[static_cast<unsigned>(script)];
  for (int attempt = 0;; ++attempt) {
    if (sha.empty()) {
      Result<RedisValue> loaded = command({"SCRIPT", "LOAD", std::string(source_of(script))});
      if (!loaded) return loaded;
      sha = loaded->text;
    }
    if (server_.is_asking)
      if (Result<RedisValue> let_in = command({"ASKING"}); !let_in) return let_in;
    std::vector<std::string> words = {"EVALSHA", sha, "1", std::string(state_key(group))};
    words.insert(words.end(), arguments.begin(), arguments.end());
    Result<RedisValue> answer = command(words);
    if (answer && !answer->values.empty()) return answer;
    if (answer) return broken("a script was answered with something that is no array");
    // SCRIPT FLUSH, or a server that has never seen it: it did not run.
    const bool is_unknown = answer.error().message.starts_with("NOSCRIPT");
    if (!is_unknown || attempt > 0) return answer;
    sha.clear();
  }
}

}  // namespace stampede::cluster
