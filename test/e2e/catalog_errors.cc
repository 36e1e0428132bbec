// A catalog with an error is refused whole, in one line that names line, field and reason.

#include <doctest/doctest.h>
#include <algorithm>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

Finished serve(const std::string& catalog_text, Scratch& scratch) {
  write_file(scratch.path("catalog.json"), catalog_text);
  return run_stampede({"serve", "--catalog", scratch.path("catalog.json"), "--data",
                       scratch.path("data"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                       "--shards", "1", "--segment-bytes", "2097152"},
                      kPatience);
}

// The offending field stands on line 3 of the file.
std::string on_line_three(const std::string& fields) {
  return "{\"items\":[\n{\"code\":\"first\",\"stock\":1},\n{" + fields + "}\n]}\n";
}

TEST_SUITE("e2e/catalog_errors") {
  TEST_CASE("an error in a field is named with its line") {
    struct Bad {
      std::string fields;
      std::string names;
    };
    const std::string code = "\"code\":\"x\",";
    for (
        const Bad& bad : std::vector<Bad>{
            {R"("stock":5)", "code"},
            {R"("code":"x")", "stock"},
            {R"("code":"","stock":5)", "code"},
            {"\"code\":\"" + std::string(65, 'x') + "\",\"stock\":5", "code"},
            {R"("code":"a b","stock":5)", "code"},
            {R"("code":"a/b","stock":5)", "code"},
            {R"("code":7,"stock":5)", "code"},
            {R"("code":"first","stock":5)", "code"},
            {code + R"("stock":-1)", "stock"},
            {code + R"("stock":1099511627777)", "stock"},
            {code + R"("stock":99999999999999999999)", "stock"},
            {code + R"("stock":1.5)", "stock"},
            {code + R"("stock":"5")", "stock"},
            {code + R"("stock":null)", "stock"},
            {code + R"("stock":5,"price":-1)", "price"},
            {code + R"("stock":5,"price":"1")", "price"},
            {code + R"("stock":5,"price":99999999999999999999)", "price"},
            {code + R"("stock":5,"price":1,"currency":"YUAN")", "currency"},
            {code + R"("stock":5,"price":1,"currency":5)", "currency"},
            {code + R"("stock":5,"per_user_limit":-1)", "per_user_limit"},
            {code + R"("stock":5,"per_user_limit":1.5)", "per_user_limit"},
            {code + R"("stock":5,"starts_at":"tomorrow")", "starts_at"},
            {code + R"("stock":5,"starts_at":"2026-02-30T10:00:00Z")", "starts_at"},
            {code + R"("stock":5,"starts_at":"2026-12-01T10:00:00")", "starts_at"},
            {code + R"("stock":5,"starts_at":5)", "starts_at"},
            {code + R"("stock":5,"ends_at":"2026-12-01")", "ends_at"},
            {code +
                 R"("stock":5,"starts_at":"2026-12-01T10:00:00Z","ends_at":"2026-12-01T09:00:00Z")",
             "ends_at"},
            {code + R"("stock":5,"pay_window_s":-1)", "pay_window_s"},
            {code + R"("stock":5,"pay_window_s":18446744073709551615)", "pay_window_s"},
            {code + R"("stock":5,"pay_window_s":"1")", "pay_window_s"},
            {code + R"("stock":5,"hidden_link":"no")", "hidden_link"},
            {code + R"("stock":5,"stcok":5)", "stcok"},
        }) {
      CAPTURE(bad.fields);
      Scratch scratch;
      Finished finished = serve(on_line_three(bad.fields), scratch);
      CAPTURE(finished.err);
      CHECK(finished.exit_code == 2);
      CHECK(finished.err.find(bad.names) != std::string::npos);
      CHECK((finished.err.find("line 3") != std::string::npos ||
             finished.err.find(":3") != std::string::npos));
      CHECK(std::count(finished.err.begin(), finished.err.end(), '\n') == 1);
    }
  }

  TEST_CASE("what is no catalog is refused in one line") {
    for (std::string text : {std::string(), std::string("{"), std::string("[]"), std::string("{}"),
                             std::string("{\"items\":{}}"), std::string("{\"items\":[5]}"),
                             std::string("{\"items\":[]} x"), std::string("\xff\xfe")}) {
      CAPTURE(text);
      Scratch scratch;
      Finished finished = serve(text, scratch);
      CAPTURE(finished.err);
      CHECK(finished.exit_code == 2);
      CHECK(finished.err.find("catalog") != std::string::npos);
      CHECK(std::count(finished.err.begin(), finished.err.end(), '\n') == 1);
    }
  }

  TEST_CASE("the largest and the smallest values are accepted") {
    std::string text = "{\"items\":[{\"code\":\"" + std::string(64, 'A') +
                       "\",\"stock\":1099511627776},{\"code\":\"a.b_c-D\",\"stock\":0,\"price\":0,"
                       "\"per_user_limit\":0}]}";
    Server server({.catalog = text});
    CHECK(server.books(std::string(64, 'A')).total == 1099511627776);
    CHECK(server.books("a.b_c-D").total == 0);
    CHECK(server.order({.user = "u1", .item = "a.b_c-D"}).code() == "sold_out");
    CHECK(server.order({.user = "u1", .item = std::string(64, 'A')}).status == 201);
  }

  TEST_CASE("a catalog that breaks between two starts is refused and the order log is as before") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "u1"});
    std::string good = server.options().catalog;
    REQUIRE(server.terminate() == 0);
    server.options().catalog = "{\"items\":[{\"code\":\"ticket\"}]}";
    CHECK(server.start_and_fail() == 2);
    server.options().catalog = good;
    server.start();
    CHECK(server.state_of("u1", id) == "reserved");
    server.check_books();
  }

  TEST_CASE("a thousand items can be sold") {
    std::vector<ItemSpec> items;
    for (int i = 0; i < 1'000; ++i)
      items.push_back({.code = "item-" + std::to_string(i), .stock = i});
    Server server({.catalog = catalog(items), .shards = 2});
    for (int i : {1, 2, 500, 999}) {
      server.buy({.user = "u1", .item = "item-" + std::to_string(i)});
      CHECK(server.books("item-" + std::to_string(i)).reserved == 1);
    }
    CHECK(server.order({.user = "u1", .item = "item-0"}).code() == "sold_out");
    server.restart();
    CHECK(server.books("item-999").reserved == 1);
  }
}

}  // namespace
}  // namespace stampede::e2e
