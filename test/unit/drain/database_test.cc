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
  TEST_CASE("databases whose sinks do not exist yet are refused by name") {
    for (const char* text : {"postgres://h/db", "postgresql://h/db", "mysql://h/db"}) {
      const auto url = parse_database_url(text);
      REQUIRE_FALSE(url);
      CHECK(url.error().message.find("not built yet") != std::string::npos);
    }
  }
  TEST_CASE("anything else is told what was expected") {
    for (const char* text : {"", "sqlite:", "sqlite", "orders.db", "NONE"}) {
      const auto url = parse_database_url(text);
      REQUIRE_FALSE(url);
      CHECK(url.error().message.find("expected sqlite:PATH or none") != std::string::npos);
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
