#include "drain/database.h"

#include "drain/postgres.h"
#include "drain/sqlite.h"
#include "postgres/connection.h"

namespace stampede::drain {

using Kind = DatabaseUrl::Kind;

Result<DatabaseUrl> parse_database_url(std::string_view url) {
  if (url == "none") return DatabaseUrl{.kind = Kind::none};
  constexpr std::string_view kSqlite = "sqlite:";
  if (url == "sqlite::memory:")
    return Error{
        "a database in memory would lose every row with the process: name a file, sqlite:PATH, or "
        "none for no rows"};
  if (url.starts_with(kSqlite) && url.size() > kSqlite.size())
    return DatabaseUrl{.kind = Kind::sqlite, .path = std::string(url.substr(kSqlite.size()))};
  if (url.starts_with("postgres://") || url.starts_with("postgresql://")) {
    if (Status status = postgres::check_url(std::string(url)); !status) return status.error();
    return DatabaseUrl{.kind = Kind::postgres, .url = std::string(url)};
  }
  const std::string expected = "expected sqlite:PATH, postgres://… or none";
  if (url.starts_with("mysql://")) return Error{"mysql://… is not built yet; " + expected};
  return Error{expected + ", not '" + postgres::without_password(url) + "'"};
}

std::string display_name(const DatabaseUrl& url) {
  switch (url.kind) {
    case Kind::none:
      return "none";
    case Kind::sqlite:
      return "sqlite:" + url.path;
    case Kind::postgres:
      return postgres::without_password(url.url);
  }
  return "";
}

std::unique_ptr<Sink> make_sink(const DatabaseUrl& url) {
  switch (url.kind) {
    case Kind::none:
      return nullptr;
    case Kind::sqlite:
      return std::make_unique<SqliteSink>(url.path);
    case Kind::postgres:
      return std::make_unique<PostgresSink>(url.url);
  }
  return nullptr;
}

Result<std::vector<StreamPosition>> look_at_positions(const DatabaseUrl& url) {
  switch (url.kind) {
    case Kind::none:
      break;
    case Kind::sqlite:
      return look_at_sqlite_positions(url.path);
    case Kind::postgres:
      return look_at_postgres_positions(url.url);
  }
  return std::vector<StreamPosition>{};
}

Result<std::vector<KnownOrder>> look_at_outermost_orders(const DatabaseUrl& url, uint32_t node,
                                                         size_t count_max) {
  switch (url.kind) {
    case Kind::none:
      break;
    case Kind::sqlite:
      return look_at_sqlite_orders(url.path, node, count_max);
    case Kind::postgres:
      return look_at_postgres_orders(url.url, node, count_max);
  }
  return std::vector<KnownOrder>{};
}

Result<OrderId> look_at_newest_order(const DatabaseUrl& url, uint32_t node) {
  switch (url.kind) {
    case Kind::none:
      break;
    case Kind::sqlite:
      return look_at_newest_sqlite_order(url.path, node);
    case Kind::postgres:
      return look_at_newest_postgres_order(url.url, node);
  }
  return OrderId{};
}

Result<std::unique_ptr<DatabaseReader>> open_database_reader(const DatabaseUrl& url,
                                                             ReadFrom from) {
  switch (url.kind) {
    case Kind::none:
      break;
    case Kind::sqlite:
      return open_sqlite_reader(url.path);
    case Kind::postgres:
      return open_postgres_reader(url.url, from);
  }
  return Error{"there is no database to read: --db none"};
}

}  // namespace stampede::drain
