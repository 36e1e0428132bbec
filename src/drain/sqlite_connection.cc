#include "drain/sqlite_connection.h"

#include <filesystem>

namespace stampede::drain {
namespace {

// How an existing database is opened for reading: as a URI, in which some characters mean something. Without a log of changes
// beside it the file is all there is, and `immutable` keeps SQLite from making the files that a reader of a live database needs.
std::string read_only_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    const bool is_special = c == '?' || c == '#' || c == '%';
    if (is_special)
      uri += c == '?' ? "%3f" : c == '#' ? "%23" : "%25";
    else
      uri += c;
  }
  std::error_code absent;
  const bool has_wal = std::filesystem::exists(path + "-wal", absent);
  return has_wal ? uri : uri + "?immutable=1";
}

}  // namespace

// A link to a file is the operator's choice; a circle of links leads nowhere.
Status check_database_files(const std::string& path) {
  namespace fs = std::filesystem;
  for (const char* beside : {"", "-wal", "-shm", "-journal"}) {
    std::error_code error;
    const fs::file_status there = fs::status(path + beside, error);
    const bool is_circle = error == std::errc::too_many_symbolic_link_levels;
    const bool is_other = there.type() != fs::file_type::none &&
                          there.type() != fs::file_type::not_found && !fs::is_regular_file(there);
    if (is_circle || is_other)
      return Error{"the database's " + path + beside + " is not a regular file", true};
  }
  return Ok{};
}

int SqliteStatement::run() {
  const int code = sqlite3_step(statement_.get());
  sqlite3_reset(statement_.get());
  return code;
}

std::string SqliteStatement::text(int column) const {
  // Text before length: sqlite3_column_bytes() counts the bytes of the converted text.
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return text == nullptr ? std::string() : std::string(text, static_cast<size_t>(size));
}

Result<SqliteConnection> SqliteConnection::open(const std::string& path, int flags, int busy_ms) {
  if (Status sound = check_database_files(path); !sound) return sound.error();
  sqlite3* handle = nullptr;
  const std::string name = (flags & SQLITE_OPEN_URI) != 0 ? read_only_uri(path) : path;
  const int code = sqlite3_open_v2(name.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  SqliteConnection connection(path, handle);  // SQLite hands out a handle even when it fails
  if (code != SQLITE_OK) return connection.error();
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, busy_ms);
  return connection;
}

Result<SqliteStatement> SqliteConnection::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK)
    return error();
  return SqliteStatement(statement);
}

}  // namespace stampede::drain
