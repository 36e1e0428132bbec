#include "redis_server.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <utility>

#include "free_port.h"

namespace stampede::servers {
namespace {

namespace fs = std::filesystem;

const char* to_text(AppendOnly append_only) {
  switch (append_only) {
    case AppendOnly::off:
      return "appendonly no\n";
    case AppendOnly::written:
      return "appendonly yes\nappendfsync no\n";
    case AppendOnly::every_second:
      return "appendonly yes\nappendfsync everysec\n";
    case AppendOnly::always:
      return "appendonly yes\nappendfsync always\n";
  }
  return "";
}

// A signal only arrives some time after kill(); this is when it has.
void await_stopped(pid_t pid) {
  siginfo_t info;
  REQUIRE(waitid(P_PID, pid, &info, WSTOPPED | WEXITED | WNOWAIT) == 0);
  REQUIRE(info.si_code == CLD_STOPPED);
}

}  // namespace

RedisServer::RedisServer(RedisOptions options)
    : options_(std::move(options)),
      port_(free_port()),
      client_(port_, {.user = "", .password = options_.password}) {
  fs::create_directory(data_directory());
  write_file(scratch_.path("redis.conf"), configuration());
  start();
}

std::string RedisServer::configuration() const {
  // No delay and no patience for replicas: a test has one replica and knows when it is there.
  std::string text =
      "bind 127.0.0.1\nprotected-mode no\nsave \"\"\nenable-debug-command local\n"
      "repl-diskless-sync-delay 0\nshutdown-timeout 0\n";
  text += "port " + std::to_string(port_) + "\n";
  text += "dir " + data_directory() + "\n";
  text += "logfile " + scratch_.path("redis.log") + "\n";
  text += "databases " + std::to_string(options_.databases) + "\n";
  text += "maxmemory-policy " + options_.maxmemory_policy + "\n";
  text += to_text(options_.append_only);
  text += std::string("replica-read-only ") + (options_.is_replica_read_only ? "yes\n" : "no\n");
  if (!options_.password.empty())
    text += "requirepass " + options_.password + "\nmasterauth " + options_.password + "\n";
  for (const std::string& user : options_.acl_users) text += "user " + user + "\n";
  if (options_.replica_of != 0)
    text += "replicaof 127.0.0.1 " + std::to_string(options_.replica_of) + "\n";
  for (const std::string& line : options_.more) text += line + "\n";
  return text;
}

void RedisServer::start() {
  client_.disconnect();
  process_ = std::make_unique<Process>(Arguments{"redis-server", scratch_.path("redis.conf")},
                                       scratch_.path("stderr"));
  await([&] { return !process_->is_running() || answers(); });
  INFO(log());
  REQUIRE(process_->is_running());
  REQUIRE(answers());
}

// The pid is asked for too: another server might have taken the port.
bool RedisServer::answers() {
  return command({"PING"}).line() == "PONG" &&
         info("process_id") == std::to_string(process_->pid());
}

std::string RedisServer::info(const std::string& field) {
  std::string all = "\n" + command({"INFO", "everything"}).text;
  size_t start = all.find("\n" + field + ":");
  if (start == std::string::npos) return "";
  start += field.size() + 2;
  return all.substr(start, all.find('\r', start) - start);
}

void RedisServer::pause() {
  process_->signal(SIGSTOP);
  await_stopped(process_->pid());
}

void RedisServer::resume() {
  process_->signal(SIGCONT);
}

void RedisServer::kill() {
  process_->signal(SIGKILL);
  REQUIRE(process_->wait(kPatience).has_value());
  client_.disconnect();
}

void RedisServer::shut_down() {
  process_->signal(SIGTERM);
  REQUIRE(process_->wait(kPatience) == 0);
  client_.disconnect();
}

void RedisServer::restart(Data data) {
  if (is_running()) kill();
  if (data == Data::wiped) {
    fs::remove_all(data_directory());
    fs::create_directory(data_directory());
  }
  start();
}

void RedisServer::replicate(uint16_t master_port) {
  REQUIRE(command({"REPLICAOF", "127.0.0.1", std::to_string(master_port)}).line() == "OK");
}

void RedisServer::promote() {
  REQUIRE(command({"REPLICAOF", "NO", "ONE"}).line() == "OK");
}

void RedisServer::await_in_sync(RedisServer& master) {
  uint64_t offset = std::stoull(master.info("master_repl_offset"));
  bool is_in_sync = await([&] {
    // Offsets are of one history, which the id names; a master begins a new one with its first replica.
    return info("master_link_status") == "up" &&
           info("master_replid") == master.info("master_replid") &&
           std::stoull(info("slave_repl_offset")) >= offset;
  });
  INFO(log());
  REQUIRE(is_in_sync);
}

}  // namespace stampede::servers
