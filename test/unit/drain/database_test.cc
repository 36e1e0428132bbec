#include "drain/database.h"

#include "support.h"

namespace {
using namespace stampede::drain;
using Kind = DatabaseUrl::Kind;
}  // namespace

TEST_SUITE("drain/database") {
  TEST_CASE("sqlite and none are understood") {
    CHECK(parse_database_url("none")->kind == Kind::none);
    const auto url = parse_database_url("sqlite:./data/orders.db");
    REQUIRE(url);
    CHECK(url->kind == Kind::sqlite);
    CHECK(url->path == "./data/orders.db");
  }
  TEST_CASE("both schemes of PostgreSQL are understood and kept as they are") {
    for (const char* text : {"postgres://h/db", "postgresql://u:p@h1:5432,h2/db?sslmode=require"}) {
      const auto url = parse_database_url(text);
      REQUIRE(url);
      CHECK(url->kind == Kind::postgres);
      CHECK(url->url == text);
    }
  }
  TEST_CASE("a database whose sink does not exist yet is refused by name") {
    const auto url = parse_database_url("mysql://h/db");
    REQUIRE_FALSE(url);
    CHECK(url.error().message.find("not built yet") != std::string::npos);
  }
  TEST_CASE("a database that lives in memory is refused for it would lose every row") {
    const auto url = parse_database_url("sqlite::memory:");
    REQUIRE_FALSE(url);
    CHECK(url.error().message.find("in memory") != std::string::npos);
    CHECK(parse_database_url("sqlite:./:memory:"));  // a file of that name
  }
  TEST_CASE("anything else is told what was expected") {
    for (const char* text : {"", "sqlite:", "sqlite", "orders.db", "NONE", "postgres:/h/db"}) {
      const auto url = parse_database_url(text);
      REQUIRE_FALSE(url);
      CHECK(url.error().message.find("expected sqlite:PATH, postgres://") != std::string::npos);
    }
  }
  TEST_CASE("what is shown of a database never holds a password") {
    CHECK(display_name({.kind = Kind::none}) == "none");
    CHECK(display_name({.kind = Kind::sqlite, .path = "a:b@c"}) == "sqlite:a:b@c");
    CHECK(display_name({.kind = Kind::postgres, .url = "postgres://u:secret@h/db"}) ==
          "postgres://u:***@h/db");
    // A scheme that is misspelt is an error, and errors are shown too.
    for (const char* text :
         {"postgre://u:secret@h/db", "mysql://u:secret@h/db", "postgres://u:sec/secret@h/db",
          "postgres://h/d?password=secret&x=y"}) {
      const auto url = parse_database_url(text);
      REQUIRE_FALSE(url);
      CHECK(url.error().message.find("sec") == std::string::npos);
    }
  }
  TEST_CASE("there is no sink and no reader for none") {
    CHECK(make_sink({.kind = Kind::none}) == nullptr);
    CHECK_FALSE(open_database_reader({.kind = Kind::none}));
  }
  TEST_CASE("reading a database that does not exist is an error and makes no file") {
    testing::ScratchDir dir;
    CHECK_FALSE(open_database_reader({.kind = Kind::sqlite, .path = dir.file("orders.db")}));
    CHECK_FALSE(std::filesystem::exists(dir.file("orders.db")));
  }
}
