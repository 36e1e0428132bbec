// A real redis-server on 127.0.0.1, in a scratch directory of its own, that a test may stop, kill,
// empty, restart and promote.
//
// A replica that lags: give it the port of a Relay to its master and pause the relay.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "process.h"
#include "redis_client.h"
#include "scratch.h"

namespace stampede::servers {

// `written`: every command is in the file, in the page cache at least, before it is answered; every_second puts that off
// while the disk is slow.
enum class AppendOnly { off, written, every_second, always };
enum class Data { kept, wiped };

struct RedisOptions {
  AppendOnly append_only = AppendOnly::off;  // off: nothing survives a restart
  std::string maxmemory_policy = "noeviction";
  std::string password;                // of the default user; a replica gives it to its master too
  std::vector<std::string> acl_users;  // "sale on >secret ~* +@all"
  uint16_t replica_of = 0;             // the master's port (or a relay's); 0: a master
  bool is_replica_read_only = true;
  int databases = 16;
  std::vector<std::string> more;  // further lines of redis.conf
};

// Used by the thread that made it, which must live as long (see process.h). A server that does not
// start or does not do what it was told is a failed REQUIRE.
class RedisServer {
 public:
  explicit RedisServer(RedisOptions options = {});  // returns when it answers PING
  RedisServer(const RedisServer&) = delete;

  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  const std::string& password() const { return options_.password; }
  // The directory of dump.rdb and appendonlydir.
  std::string data_directory() const { return scratch_.path("data"); }
  std::string log() const { return read_file(scratch_.path("redis.log")); }

  // By a connection of its own. A paused server answers nothing: this then waits kPatience.
  RedisReply command(const std::vector<std::string>& words) { return client_.command(words); }
  // A field of INFO: info("role") is "master" or "slave"; "" if there is none.
  std::string info(const std::string& field);

  void pause();      // SIGSTOP: connections are accepted by the kernel, nothing is answered
  void resume();     // SIGCONT
  void kill();       // SIGKILL; what was not synced stays in the page cache and so in the file
  void shut_down();  // SIGTERM: syncs its files and leaves in order
  bool is_running() { return process_ != nullptr && process_->is_running(); }
  // On the same port; kills it first if it runs. The configuration is the one it last wrote, which a
  // Sentinel may have changed.
  void restart(Data data = Data::kept);

  void replicate(uint16_t master_port);  // REPLICAOF
  void promote();                        // REPLICAOF NO ONE
  // Until this replica has everything that `master` has now.
  void await_in_sync(RedisServer& master);

 private:
  std::string configuration() const;
  void start();
  bool answers();

  const RedisOptions options_;
  const Scratch scratch_;
  uint16_t port_;
  RedisClient client_;
  std::unique_ptr<Process> process_;
};

}  // namespace stampede::servers
