// A real PostgreSQL on 127.0.0.1 and on a Unix socket, in a scratch directory of its own, that a test
// may stop, kill and start again; and a plain client to look at what stands in it.
//
// A cluster takes some seconds to make, so a test program makes one and gives each test a database of
// its own. Not synced: killed processes lose nothing by that, only a dead kernel would.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "process.h"
#include "scratch.h"

namespace stampede::servers {

// A connection of somebody else's. A server that is stopped makes it wait.
class PostgresClient {
 public:
  explicit PostgresClient(const std::string& url);

  // A statement that fails is a failed check and has no rows. NULL reads as "NULL".
  std::vector<std::vector<std::string>> rows(const std::string& sql);
  std::string text(const std::string& sql);  // first column of the first row; "" if there is none
  int64_t number(const std::string& sql);    // the same as a number; 0 if there is none
  // One or more statements; false, and no failed check, when one fails: complaint() says why.
  bool execute(const std::string& sql);
  std::string complaint() const { return PQerrorMessage(connection_.get()); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::unique_ptr<PGconn, Finish> connection_;
};

// Used by the thread that made it, which must live as long (see process.h). A server that does not
// start or does not do what it was told is a failed REQUIRE.
class PostgresServer {
 public:
  PostgresServer();  // returns when it takes connections
  // A standby, which has what `primary` has, a little later, and takes only reads.
  explicit PostgresServer(PostgresServer& primary);
  PostgresServer(const PostgresServer&) = delete;

  // The one of this test program, running and not paused.
  static PostgresServer& shared();

  uint16_t port() const { return port_; }
  std::string url(const std::string& database) const;
  std::string url_through(uint16_t port, const std::string& database) const;  // of a relay
  std::string socket_url(const std::string& database) const;
  std::string log() const { return read_file(scratch_.path("log")); }

  // A new, empty one; its name.
  std::string create_database();

  void
  pause();  // SIGSTOP to all its processes: the kernel accepts connections, nothing is answered
  void resume();  // SIGCONT
  void kill();    // SIGKILL to all its processes
  bool is_running() { return process_ != nullptr && process_->is_running(); }
  // Of a standby: returns when it has everything that `primary` has now.
  void await_in_sync(PostgresServer& primary);
  void promote();      // a standby takes writes from now on
  void restart();      // kills it first if it runs
  void begin_start();  // restart() without waiting for it to take connections

 private:
  std::vector<pid_t> processes() const;
  void make_cluster(Arguments command);
  bool answers() const;

  const Scratch scratch_;
  const std::string programs_;  // where postgres and initdb are
  uint16_t port_;
  std::unique_ptr<Process> process_;
  bool is_paused_ = false;
  int databases_ = 0;
};

}  // namespace stampede::servers
