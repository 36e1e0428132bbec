#include "database.h"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <cstdlib>

namespace stampede::e2e {

Database::Database(const std::string& path, bool is_writable) {
  int flags = is_writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  REQUIRE_MESSAGE(sqlite3_open_v2(path.c_str(), &db_, flags, nullptr) == SQLITE_OK,
                  path << ": " << sqlite3_errmsg(db_));
  sqlite3_busy_timeout(db_, 10'000);
}

Database::~Database() {
  sqlite3_close(db_);
}

std::vector<std::vector<std::string>> Database::rows(const std::string& sql) {
  std::vector<std::vector<std::string>> found;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    FAIL_CHECK(sql << ": " << sqlite3_errmsg(db_));
    return found;
  }
  int step;
  while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
    auto& row = found.emplace_back();
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
      row.emplace_back(text == nullptr ? "NULL" : text);
    }
  }
  if (step != SQLITE_DONE) FAIL_CHECK(sql << ": " << sqlite3_errmsg(db_));
  sqlite3_finalize(statement);
  return found;
}

std::string Database::text(const std::string& sql) {
  auto found = rows(sql);
  return found.empty() || found[0].empty() ? "" : found[0][0];
}

int64_t Database::number(const std::string& sql) {
  return std::atoll(text(sql).c_str());
}

bool Database::execute(const std::string& sql) {
  return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
}

}  // namespace stampede::e2e
