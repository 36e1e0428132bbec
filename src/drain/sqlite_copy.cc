#include "drain/sqlite_copy.h"

#include <algorithm>
#include <memory>

#include "drain/sqlite_connection.h"

namespace stampede::drain {
namespace {

constexpr int kCopyWaitMs = 5'000;
constexpr int kPagesAtOnce = 1024;
constexpr uint64_t kPageBytes = 4096;  // for the progress; SQLite's default

struct EndBackup {
  void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
};

Status copy_pages(SqliteConnection& from, SqliteConnection& to,
                  const std::function<void(uint64_t bytes)>& progress) {
  const std::unique_ptr<sqlite3_backup, EndBackup> backup(
      sqlite3_backup_init(to.handle(), "main", from.handle(), "main"));
  if (!backup) return to.error();
  int code = SQLITE_OK;
  while (code == SQLITE_OK) {
    const int left = sqlite3_backup_remaining(backup.get());
    code = sqlite3_backup_step(backup.get(), kPagesAtOnce);
    const int done = left - sqlite3_backup_remaining(backup.get());
    progress(static_cast<uint64_t>(std::max(done, 0)) * kPageBytes);
  }
  if (code == SQLITE_DONE) return Ok{};
  return Error{to.error().message, (code & 0xff) == SQLITE_CORRUPT};
}

Status check_pages(SqliteConnection& copy, const std::string& from) {
  Result<SqliteStatement> check = copy.prepare("PRAGMA quick_check(1)");
  if (!check) return Error{from + ": " + check.error().message, true};
  const int code = check->next();
  if (code == SQLITE_ROW && check->text(0) == "ok") return Ok{};
  return Error{from + ": " + (code == SQLITE_ROW ? check->text(0) : copy.message()), true};
}

}  // namespace

Status copy_sqlite(const std::string& from, const std::string& to,
                   const std::function<void(uint64_t bytes)>& progress) {
  Result<SqliteConnection> source =
      SqliteConnection::open(from, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, kCopyWaitMs);
  if (!source) return source.error();
  // One transaction: otherwise the copy would begin anew at every write by another connection. It begins with its first read.
  if (const int code = source->execute("BEGIN; SELECT 1 FROM sqlite_schema"); code != SQLITE_OK) {
    const bool is_damage = (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
    return Error{from + ": " + source->message(), is_damage};
  }
  Result<SqliteConnection> copy =
      SqliteConnection::open(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, kCopyWaitMs);
  if (!copy) return copy.error();
  if (copy->execute("PRAGMA synchronous = FULL") != SQLITE_OK) return copy->error();
  if (Status copied = copy_pages(*source, *copy, progress); !copied) return copied;
  return check_pages(*copy, from);
}

}  // namespace stampede::drain
