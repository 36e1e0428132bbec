// The reporting database in one SQLite file, beside the order log or wherever the operator wants
// it.
//
// WAL with synchronous=FULL: one fsync for each transaction, and readers never wait for the
// drainer. A lock held by another process, a full disk, a file gone read-only or removed under us:
// each is "retry" with its cause, never a lost row. Connection and statements belong to one thread,
// the drainer's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "drain/database.h"
#include "drain/sink.h"

namespace stampede::drain {

class SqliteSink final : public Sink {
 public:
  explicit SqliteSink(std::string path);
  ~SqliteSink() override;

  Result<std::vector<StreamPosition>> positions() override;
  Status confirm(uint32_t node, Patience patience) override;
  Result<std::vector<KnownOrder>> outermost_orders(uint32_t node, size_t count_max) override;
  Written write(const Batch& batch, int64_t now_ms, const MayGoOn& may_go_on = {}) override;

 private:
  struct Session;

  Status connect();
  // Rows that ended the whole transaction (RAISE(ROLLBACK)), each with the reason.
  using EndingRows = std::unordered_map<const void*, std::string>;
  std::optional<Written> attempt(const Batch& batch, int64_t now_ms, EndingRows& ending);
  Written fail(Outcome outcome, int code, const std::string& cause);

  std::string path_;
  std::unique_ptr<Session> session_;  // null: not connected
};

[[nodiscard]] Result<std::unique_ptr<DatabaseReader>> open_sqlite_reader(const std::string& path);
[[nodiscard]] Result<std::vector<StreamPosition>> look_at_sqlite_positions(const std::string& path);
[[nodiscard]] Result<std::vector<KnownOrder>> look_at_sqlite_orders(const std::string& path,
                                                                    uint32_t node,
                                                                    size_t count_max);
[[nodiscard]] Result<OrderId> look_at_newest_sqlite_order(const std::string& path, uint32_t node);

}  // namespace stampede::drain
