// Pages of other origins: how origins are given, and what is said to whom.
#include "http/origins.h"

#include <doctest/doctest.h>

namespace stampede::http {
namespace {

const std::string kShop = "https://shop.example", kLocal = "http://localhost:3000";

TEST_SUITE("http/origins") {
  TEST_CASE("without an origin nothing is said to anybody") {
    const Origins none = *Origins::make({});
    CHECK(none.find(kShop) == 0);
    CHECK(none.lines_for(0).empty());
  }

  TEST_CASE("a listed origin hears that it may read and others hear nothing") {
    const Origins origins = *Origins::make({kShop, kLocal});
    CHECK(origins.lines_for(origins.find(kLocal)) ==
          "Vary: Origin\r\nAccess-Control-Allow-Origin: http://localhost:3000\r\n"
          "Access-Control-Expose-Headers: ETag, Retry-After\r\n");
    CHECK(origins.find(kShop) != origins.find(kLocal));
    for (const char* other :
         {"", "null", "*", "https://shop.example/", "https://shop.example:443",
          "http://shop.example", "https://SHOP.example", "https://a.shop.example",
          "https://shop.example.evil", "https://shop.exampl"}) {
      CHECK_MESSAGE(origins.find(other) == 0, other);
      CHECK(origins.lines_for(origins.find(other)) == "Vary: Origin\r\n");
    }
  }

  TEST_CASE("a star is every page and stands alone") {
    const Origins all = *Origins::make({"*"});
    CHECK(all.lines_for(all.find("https://anybody.example")) ==
          "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: ETag, Retry-After\r\n");
    CHECK(all.lines_for(all.find("")).empty());
    CHECK(!Origins::make({"*", kShop}));
    CHECK(!Origins::make({kShop, "*"}));
  }

  TEST_CASE("what no browser says is refused at the start") {
    for (const std::string& origin :
         {std::string(), std::string("null"), std::string("shop.example"), kShop + "/",
          kShop + "/a", kShop + ":443", std::string("http://shop.example:80"),
          std::string("https://"), std::string("https://:8080"),
          std::string("https://Shop.example"), "ftp://" + kShop, std::string("https://a b"),
          std::string("https://u@shop.example"), std::string("https://a\r\nX: y"),
          "https://" + std::string(300, 'a')})
      CHECK_MESSAGE(!Origins::make({origin}), origin);
    CHECK(bool(Origins::make({"https://[::1]:8443", "http://127.0.0.1:5173"})));
    CHECK(!Origins::make(std::vector<std::string>(bounds::origins_max + 1, kShop)));
  }
}

}  // namespace
}  // namespace stampede::http
