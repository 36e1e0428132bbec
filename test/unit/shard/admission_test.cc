// Items that are not for everybody, on two shards: one reads a request, another decides it.
#include "shard/admission.h"

#include "../../world/world.h"
#include "door/link.h"
#include "door/proof.h"

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

namespace stampede::world {
namespace {

constexpr std::string_view kPath = "/v1/items/ticket/link";

std::string as(std::string_view user, std::string_view more = {}) {
  return "X-User-Id: " + std::string(user) + "\r\n" + std::string(more);
}

struct Hidden : World {
  explicit Hidden(bool has_proof = false, std::string enrolled = {})
      : World({.shards = 2,
               .per_user_limit = 1,
               .has_hidden_link = true,
               .has_proof = has_proof,
               .enrolled = std::move(enrolled)}) {
    for (uint32_t shard = 0; shard < 2; ++shard) buyers[shard] = &connect(shard);
  }
  Answer ask_link(uint32_t shard, std::string_view user, std::string_view headers = {}) {
    buyers[shard]->request("POST", kPath, as(user, headers));
    return await_answer(*buyers[shard]);
  }
  Answer order(uint32_t shard, std::string_view user, std::string_view link,
               std::string_view headers = {}) {
    buyers[shard]->request("POST", "/v1/orders", as(user, headers),
                           R"({"item":"ticket","qty":1,"link":")" + std::string(link) + "\"}");
    return await_answer(*buyers[shard]);
  }
  std::string proof_of(std::string_view user, std::string_view item = "ticket",
                       int64_t ttl_s = 60) {
    std::array<char, door::kProofBytesMax> room;
    return "Stampede-Proof: " +
           std::string(door::mint_proof(user, item, now_unix() + ttl_s, door_key(), room)) + "\r\n";
  }
  void set_terms(const std::function<void(stock::ItemTerms&)>& change) {
    for (uint32_t index = 0; index < 2; ++index) {
      stock::ItemTerms terms = shard(index).catalog().terms(0);
      change(terms);
      shard(index).catalog().upsert(terms);
    }
  }
  uint64_t sold() { return shard(0).state().orders_live() + shard(1).state().orders_live(); }

  Buyer* buyers[2];
};

std::string code_of(const Answer& answer) {
  return std::to_string(answer.status) + " " + answer.member("code");
}

TEST_SUITE("shard/admission") {
  TEST_CASE("a link that any shard gave opens the order at any other") {
    Hidden world;
    for (uint32_t home = 0; home < 2; ++home)
      for (uint32_t shard = 0; shard < 2; ++shard) {
        const std::string user = world.user_at(home);
        const Answer given = world.ask_link(shard, user);
        REQUIRE(given.status == 200);
        CHECK(given.member("expires_at").size() == 24);
        CHECK(world.order(1 - shard, user, given.member("link")).status == 201);
      }
  }

  TEST_CASE("an order without its own valid link is refused by its home shard") {
    Hidden world;
    const std::string user = world.user_at(0), other = world.user_at(1);
    const std::string link = world.ask_link(0, other).member("link");
    for (uint32_t shard = 0; shard < 2; ++shard) {
      CHECK(code_of(world.order(shard, user, "")) == "403 bad_link");
      CHECK(code_of(world.order(shard, user, "v1")) == "403 bad_link");
      CHECK(code_of(world.order(shard, user, link)) == "403 bad_link");
      CHECK(code_of(world.order(shard, user, std::string(2'000, 'x'))) == "403 bad_link");
    }
    world.buyers[0]->order(user);
    CHECK(code_of(world.await_answer(*world.buyers[0])) == "403 bad_link");
    CHECK(world.sold() == 0);
    CHECK(world.order(0, other, link).status == 201);
  }

  TEST_CASE("each flipped bit of a link is refused") {
    Hidden world;
    const std::string user = world.user_at(1);
    const std::string link = world.ask_link(0, user).member("link");
    for (size_t at = 0; at < link.size(); ++at)
      for (const int bit : {0, 1, 2, 4}) {
        std::string flipped = link;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
        if (flipped[at] < 0x21 || flipped[at] > 0x7e || flipped[at] == '"' || flipped[at] == '\\')
          continue;
        REQUIRE(code_of(world.order(0, user, flipped)) == "403 bad_link");
      }
    CHECK(world.sold() == 0);
  }

  TEST_CASE("a link expires and the next one is as good") {
    Hidden world;
    const std::string user = world.user_at(0);
    const std::string link = world.ask_link(1, user).member("link");
    world.clock.advance(bounds::link_valid_s * kSecond);
    world.buyers[0] = &world.connect(0);
    world.buyers[1] = &world.connect(1);
    CHECK(code_of(world.order(0, user, link)) == "403 bad_link");
    CHECK(world.order(0, user, world.ask_link(1, user).member("link")).status == 201);
  }

  TEST_CASE("a winner who asks again needs no link") {
    Hidden world;
    const std::string user = world.user_at(1), key = "Idempotency-Key: k\r\n";
    const std::string link = world.ask_link(0, user).member("link");
    const Answer won = world.order(0, user, link, key);
    REQUIRE(won.status == 201);
    for (uint32_t shard = 0; shard < 2; ++shard) {
      const Answer again = world.order(shard, user, "", key);
      CHECK(again.status == 200);
      CHECK(again.member("order_id") == won.member("order_id"));
      const Answer held = world.order(shard, user, "foreign");
      CHECK(code_of(held) == "409 limit_reached");
      CHECK(held.member("order_id") == won.member("order_id"));
    }
  }

  TEST_CASE("a link is given only while the sale is open and only to a user") {
    Hidden world;
    const std::string user = world.user_at(0);
    world.buyers[0]->request("POST", kPath);
    CHECK(code_of(world.await_answer(*world.buyers[0])) == "401 unauthenticated");
    const int64_t now_ms = world.clock.now().wall_ms();
    world.set_terms([&](stock::ItemTerms& terms) { terms.starts_ms = now_ms + 60'000; });
    const Answer early = world.ask_link(0, user);
    CHECK(code_of(early) == "403 not_started");
    CHECK(early.member("starts_at").size() == 24);
    world.set_terms([&](stock::ItemTerms& terms) {
      terms.starts_ms = 0;
      terms.ends_ms = now_ms - 1;
    });
    CHECK(code_of(world.ask_link(1, user)) == "410 sale_ended");
    world.set_terms([&](stock::ItemTerms& terms) {
      terms.ends_ms = 0;
      terms.is_paused = true;
    });
    CHECK(code_of(world.ask_link(0, user)) == "503 sale_paused");
    world.set_terms([&](stock::ItemTerms& terms) {
      terms.is_paused = false;
      terms.has_hidden_link = false;
    });
    CHECK(code_of(world.ask_link(0, user)) == "404 not_found");
    CHECK(world.order(0, user, "").status == 201);
  }

  TEST_CASE("a link that is worth a proof is given for the user's own and for this item") {
    Hidden world(true);
    const std::string user = world.user_at(1), other = world.user_at(1);
    CHECK(code_of(world.ask_link(0, user)) == "403 bad_proof");
    CHECK(code_of(world.ask_link(0, user, "Stampede-Proof: v1\r\n")) == "403 bad_proof");
    CHECK(code_of(world.ask_link(0, user, world.proof_of(other))) == "403 bad_proof");
    CHECK(code_of(world.ask_link(0, user, world.proof_of(user, "ticket2"))) == "403 bad_proof");
    CHECK(code_of(world.ask_link(0, user, world.proof_of(user, "ticket", 0))) == "403 bad_proof");
    const Answer given = world.ask_link(0, user, world.proof_of(user));
    REQUIRE(given.status == 200);
    CHECK(world.order(1, user, given.member("link")).status == 201);
  }

  TEST_CASE("whoever may have a link is counted once like an order whatever shard was asked") {
    Hidden world(true);
    const auto limit = [&](uint32_t requests) {
      door::Rules rules = *world.process().rules.load();
      rules.limits.user = {.requests = requests, .window_ms = 60'000};
      (void)world.process().publish_rules(std::move(rules));
    };
    limit(4);
    for (uint32_t home = 0; home < 2; ++home) {
      const std::string user = world.user_at(home), proof = world.proof_of(user);
      for (int i = 0; i < 10; ++i)
        CHECK(code_of(world.ask_link(i % 2, user)) == "403 bad_proof");  // not counted
      std::string link;
      for (uint32_t i = 0; i < 3; ++i) {
        const Answer given = world.ask_link(i % 2, user, proof);
        REQUIRE(given.status == 200);
        link = given.member("link");
      }
      CHECK(world.order(0, user, link, "Idempotency-Key: k\r\n").status == 201);
      for (uint32_t shard = 0; shard < 2; ++shard) {
        const Answer refused = world.ask_link(shard, user, proof);
        CHECK(code_of(refused) == "429 rate_limited");
        CHECK(refused.member("limit") == "user");
        CHECK(refused.body.find("\"retry_after_ms\":") != std::string::npos);
      }
      CHECK(world.order(1, user, "", "Idempotency-Key: k\r\n").status == 200);  // a winner
    }
    const std::string third = world.user_at(0);
    CHECK(world.ask_link(1, third, world.proof_of(third)).status == 200);
  }

  TEST_CASE("a blocked user gets neither a link nor an order") {
    Hidden world;
    const std::string user = world.user_at(1);
    const std::string link = world.ask_link(0, user).member("link");
    door::Rules rules = *world.process().rules.load();
    rules.blocked.operators = std::make_shared<const door::BlockList>(
        std::vector<door::UserWord>{{.user = user}}, std::vector<door::NetworkWord>(), 1);
    (void)world.process().publish_rules(std::move(rules));
    CHECK(code_of(world.ask_link(0, user)) == "403 blocked");
    CHECK(code_of(world.order(0, user, link)) == "403 blocked");
  }

  TEST_CASE(
      "only enrolled users buy and get a link and a winner who was taken off keeps his order") {
    Hidden world(false, "members.txt");
    const std::string member = world.user_at(0), stranger = world.user_at(1);
    CHECK(code_of(world.ask_link(0, member)) == "403 not_enrolled");  // no list was read
    world.read_list(member + "\n");
    const std::string link = world.ask_link(1, member).member("link");
    CHECK(code_of(world.ask_link(0, stranger)) == "403 not_enrolled");
    for (uint32_t shard = 0; shard < 2; ++shard) {
      CHECK(code_of(world.order(shard, stranger, link)) == "403 not_enrolled");
      CHECK(code_of(world.order(shard, stranger, "")) == "403 not_enrolled");
    }
    const Answer won = world.order(1, member, link, "Idempotency-Key: k\r\n");
    REQUIRE(won.status == 201);
    world.read_list(stranger + "\n");
    const Answer again = world.order(0, member, "", "Idempotency-Key: k\r\n");
    CHECK(again.status == 200);
    CHECK(again.member("order_id") == won.member("order_id"));
    CHECK(code_of(world.order(0, member, link)) == "409 limit_reached");
    CHECK(world.order(0, stranger, world.ask_link(0, stranger).member("link")).status == 201);
  }
}

}  // namespace
}  // namespace stampede::world
