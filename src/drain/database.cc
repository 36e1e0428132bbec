#include "drain/database.h"

#include "drain/sqlite.h"

namespace stampede::drain {

Result<DatabaseUrl> parse_database_url(std::string_view url) {
  using Kind = DatabaseUrl::Kind;
  if (url == "none") return DatabaseUrl{.kind = Kind::none};
  constexpr std::string_view kSqlite = "sqlite:";
  if (url.starts_with(kSqlite) && url.size() > kSqlite.size())
    return DatabaseUrl{.kind = Kind::sqlite, .path = std::string(url.substr(kSqlite.size()))};
  for (std::string_view scheme : {"postgres://", "postgresql://", "mysql://"})
    if (url.starts_with(scheme))
      return Error{std::string(scheme) + "… is not built yet; expected sqlite:PATH or none"};
  return Error{"expected sqlite:PATH or none, not '" + std::string(url) + "'"};
}

std::unique_ptr<Sink> make_sink(const DatabaseUrl& url) {
  if (url.kind == DatabaseUrl::Kind::none) return nullptr;
  return std::make_unique<SqliteSink>(url.path);
}

Result<std::unique_ptr<DatabaseReader>> open_database_reader(const DatabaseUrl& url) {
  if (url.kind == DatabaseUrl::Kind::none) return Error{"there is no database to read: --db none"};
  return open_sqlite_reader(url.path);
}

}  // namespace stampede::drain
