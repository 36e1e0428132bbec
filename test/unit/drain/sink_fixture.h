// The databases that rows can go to, each new and empty, and a stream whose batches go into one: what
// every sink must do is tested once, for all of them.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <vector>

#include "../../servers/postgres_server.h"
#include "drain/postgres.h"
#include "drain/sqlite.h"
#include "drain/sqlite_connection.h"
#include "support.h"

namespace stampede::drain::testing {

// Before `table` takes a row for which `condition` is true, it is refused with this message.
struct Refusal {
  std::string table, condition, message;
};

class SqliteDatabase {
 public:
  DatabaseUrl url() const { return {.kind = DatabaseUrl::Kind::sqlite, .path = path_}; }
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return dir_.file(name); }
  std::unique_ptr<Sink> sink() const { return std::make_unique<SqliteSink>(path_); }

  // By somebody else's connection.
  void execute(const std::string& sql) {
    auto opened = SqliteConnection::open(path_, SQLITE_OPEN_READWRITE, 0);
    REQUIRE(opened);
    REQUIRE((*opened).execute(sql.c_str()) == SQLITE_OK);
  }
  void refuse(const Refusal& refusal) {
    execute("CREATE TRIGGER refuse BEFORE INSERT ON " + refusal.table + " WHEN " +
            refusal.condition + " BEGIN SELECT RAISE(ABORT, '" + refusal.message + "'); END");
  }

 private:
  ScratchDir dir_;
  std::string path_ = dir_.file("orders.db");
};

class PostgresDatabase {
 public:
  DatabaseUrl url() const {
    return {.kind = DatabaseUrl::Kind::postgres, .url = server_.url(name_)};
  }
  servers::PostgresServer& server() const { return server_; }
  const std::string& name() const { return name_; }
  servers::PostgresClient client() const {
    return servers::PostgresClient(server_.socket_url(name_));
  }
  std::unique_ptr<Sink> sink(const postgres::Options& options = {}) const {
    return std::make_unique<PostgresSink>(server_.url(name_), options);
  }

  void execute(const std::string& sql) {
    servers::PostgresClient other = client();
    const bool is_done = other.execute(sql);
    REQUIRE_MESSAGE(is_done, other.complaint());
  }
  void refuse(const Refusal& refusal) {
    execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE '" +
            refusal.message + "'; END $$; CREATE TRIGGER refuse BEFORE INSERT ON " + refusal.table +
            " FOR EACH ROW WHEN (" + refusal.condition + ") EXECUTE FUNCTION refuse()");
  }

 private:
  servers::PostgresServer& server_ = servers::PostgresServer::shared();
  std::string name_ = server_.create_database();
};

constexpr StreamKey kStream = {.node = 3, .generation = 2, .shard = 1};
constexpr int64_t kNowMs = kStartMs + 60'000;

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A stream whose every write() is one batch behind the one before.
template <typename Database>
struct SinkFixture {
  SinkFixture() { set_ticket(names); }

  const Batch& next_batch(std::vector<orderlog::Record> records) {
    batch.start(kStream, position);
    orderlog::Position after = position.value_or(orderlog::Position{});
    for (const orderlog::Record& record : records) batch.add(after.next_lsn++, record);
    after.batch_seq += 1;
    after.offset += 4096;
    after.prev_chain = mix(after.next_lsn);
    batch.advance(after, 0);
    return batch;
  }
  Written write(std::vector<orderlog::Record> records) {
    const Written written = sink->write(next_batch(std::move(records)), kNowMs);
    if (written.outcome == Outcome::done) position = batch.after();
    return written;
  }
  // Nothing is written, this is why, and it will be tried again.
  void check_retry(std::vector<orderlog::Record> records, const std::string& cause) {
    const Written written = write(std::move(records));
    CHECK(written.outcome == Outcome::retry);
    CHECK_MESSAGE(contains(written.cause, cause), written.cause);
  }
  void connect() {
    const auto positions = sink->positions();
    REQUIRE_MESSAGE(positions, (positions ? "" : positions.error().message));
  }
  Contents contents() { return read_contents(database.url()); }
  StoredOrder only_order() {
    const Contents now = contents();
    REQUIRE(now.orders.size() == 1);
    return now.orders[0];
  }

  Database database;
  ItemNames names;
  Batch batch{names};
  std::optional<orderlog::Position> position;
  std::unique_ptr<Sink> sink = database.sink();
};

}  // namespace stampede::drain::testing
