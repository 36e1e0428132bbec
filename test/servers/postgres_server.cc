#include "postgres_server.h"

#include <doctest/doctest.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "await.h"
#include "free_port.h"

namespace stampede::servers {
namespace {

namespace fs = std::filesystem;

// PostgreSQL refuses to run as root: then it runs as the user that Debian made for it, or nobody.
const passwd* other_user() {
  if (geteuid() != 0) return nullptr;
  const passwd* user = getpwnam("postgres");
  return user != nullptr ? user : getpwnam("nobody");
}

std::function<void()> become_other_user() {
  const passwd* user = other_user();
  if (user == nullptr) return {};
  return [uid = user->pw_uid, gid = user->pw_gid] {
    if (setgroups(0, nullptr) != 0 || setgid(gid) != 0 || setuid(uid) != 0) _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // another user's process forgets it
  };
}

// The newest of those installed; in Debian they are on no PATH.
std::string find_programs() {
  std::string newest;
  std::error_code ignored;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", ignored))
    if (const std::string folder = version.path() / "bin"; fs::exists(folder + "/initdb"))
      newest = std::max(newest, folder);
  REQUIRE_MESSAGE(!newest.empty(), "there is no PostgreSQL in /usr/lib/postgresql");
  return newest;
}

}  // namespace

// ---- PostgresClient

PostgresClient::PostgresClient(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
  REQUIRE_MESSAGE(PQstatus(connection_.get()) == CONNECTION_OK, complaint());
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
}

std::vector<std::vector<std::string>> PostgresClient::rows(const std::string& sql) {
  std::vector<std::vector<std::string>> found;
  PGresult* result = PQexec(connection_.get(), sql.c_str());
  if (PQresultStatus(result) != PGRES_TUPLES_OK) FAIL_CHECK(sql << ": " << complaint());
  for (int row = 0; row < PQntuples(result); ++row) {
    auto& cells = found.emplace_back();
    for (int i = 0; i < PQnfields(result); ++i)
      cells.emplace_back(PQgetisnull(result, row, i) ? "NULL" : PQgetvalue(result, row, i));
  }
  PQclear(result);
  return found;
}

std::string PostgresClient::text(const std::string& sql) {
  const auto found = rows(sql);
  return found.empty() || found[0].empty() ? "" : found[0][0];
}

int64_t PostgresClient::number(const std::string& sql) {
  return std::atoll(text(sql).c_str());
}

bool PostgresClient::execute(const std::string& sql) {
  PGresult* result = PQexec(connection_.get(), sql.c_str());
  const ExecStatusType status = PQresultStatus(result);
  PQclear(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

// ---- PostgresServer

PostgresServer::PostgresServer() : programs_(find_programs()), port_(free_port()) {
  make_cluster({programs_ + "/initdb", "--no-sync", "--auth=trust", "--username=tester",
                "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata", scratch_.path("data")});
  restart();
}

PostgresServer::PostgresServer(PostgresServer& primary)
    : programs_(find_programs()), port_(free_port()) {
  make_cluster({programs_ + "/pg_basebackup", "--no-sync", "--checkpoint=fast",
                "--write-recovery-conf", "--dbname", primary.url(""), "--pgdata",
                scratch_.path("data")});
  restart();
}

PostgresServer& PostgresServer::shared() {
  static PostgresServer server;
  if (server.is_paused_) server.resume();
  if (!server.is_running()) server.restart();
  return server;
}

void PostgresServer::make_cluster(Arguments command) {
  if (const passwd* user = other_user(); user != nullptr)
    REQUIRE(chown(scratch_.path().c_str(), user->pw_uid, user->pw_gid) == 0);
  Process maker(command, scratch_.path("log"), become_other_user());
  const auto code = maker.wait(4 * kPatience);  // it writes tens of megabytes
  REQUIRE_MESSAGE(code == 0, log());
}

void PostgresServer::begin_start() {
  if (is_running()) kill();
  const std::vector<std::string> settings = {
      "listen_addresses=127.0.0.1", "port=" + std::to_string(port_),
      "unix_socket_directories=" + scratch_.path(), "fsync=off", "full_page_writes=off",
      "shared_buffers=64MB", "max_connections=64",
      // Nothing of its own accord while a test measures or waits.
      "autovacuum=off", "log_checkpoints=off"};
  Arguments command{programs_ + "/postgres", "-D", scratch_.path("data")};
  for (const std::string& setting : settings) command.insert(command.end(), {"-c", setting});
  process_ = std::make_unique<Process>(command, scratch_.path("log"), become_other_user());
  is_paused_ = false;
}

void PostgresServer::restart() {
  // After a kill the last children of the one before may still hold its memory: it refuses then.
  const bool has_started = await([&] {
    if (!is_running()) begin_start();
    return answers();
  });
  INFO(log());
  REQUIRE(has_started);
}

void PostgresServer::await_in_sync(PostgresServer& primary) {
  const std::string written =
      PostgresClient(primary.url("postgres")).text("SELECT pg_current_wal_lsn()");
  PostgresClient client(url("postgres"));
  const bool is_in_sync = await(
      [&] { return client.text("SELECT pg_last_wal_replay_lsn() >= '" + written + "'") == "t"; });
  REQUIRE_MESSAGE(is_in_sync, log());
}

void PostgresServer::promote() {
  PostgresClient client(url("postgres"));
  REQUIRE(client.text("SELECT pg_promote()") == "t");
}

bool PostgresServer::answers() const {
  return PQping(url("postgres").c_str()) == PQPING_OK;
}

std::string PostgresServer::url_through(uint16_t port, const std::string& database) const {
  return "postgres://tester@127.0.0.1:" + std::to_string(port) + "/" + database;
}

std::string PostgresServer::url(const std::string& database) const {
  return url_through(port_, database);
}

std::string PostgresServer::socket_url(const std::string& database) const {
  return "postgres://tester@/" + database + "?host=" + scratch_.path() +
         "&port=" + std::to_string(port_);
}

std::string PostgresServer::create_database() {
  const std::string name = "test" + std::to_string(++databases_);
  PostgresClient client(url("postgres"));
  const bool is_created = client.execute("CREATE DATABASE " + name);
  REQUIRE_MESSAGE(is_created, client.complaint());
  return name;
}

// The postmaster and its children, which serve one connection each and outlive its SIGSTOP.
std::vector<pid_t> PostgresServer::processes() const {
  std::vector<pid_t> pids{process_->pid()};
  const std::string own = std::to_string(process_->pid());
  std::ifstream children("/proc/" + own + "/task/" + own + "/children");
  for (pid_t pid; children >> pid;) pids.push_back(pid);
  return pids;
}

void PostgresServer::pause() {
  // The postmaster first: it makes no more children then.
  process_->signal(SIGSTOP);
  for (const pid_t pid : processes()) ::kill(pid, SIGSTOP);
  is_paused_ = true;
}

void PostgresServer::resume() {
  for (const pid_t pid : processes()) ::kill(pid, SIGCONT);
  is_paused_ = false;
}

void PostgresServer::kill() {
  process_->signal(SIGSTOP);
  for (const pid_t pid : processes()) ::kill(pid, SIGKILL);
  REQUIRE(process_->wait(kPatience).has_value());
}

}  // namespace stampede::servers
