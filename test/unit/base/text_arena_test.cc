#include "base/text_arena.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "death.h"

namespace stampede {
namespace {

TEST_SUITE("base/text_arena") {
  TEST_CASE("texts of every length come back as they went in") {
    TextArena arena(TextArena::kBytesMax + 1);
    std::vector<TextRef> refs;
    for (unsigned size = 0; size <= TextArena::kBytesMax; ++size)
      refs.push_back(arena.store(std::string(size, static_cast<char>('0' + size))));
    for (unsigned size = 0; size <= TextArena::kBytesMax; ++size)
      CHECK(arena.view(refs[size]) == std::string(size, static_cast<char>('0' + size)));
  }

  TEST_CASE("the empty text takes no cell") {
    TextArena arena(1);
    for (int i = 0; i < 100; ++i) CHECK(arena.view(arena.store("")).empty());
  }

  TEST_CASE("texts that come and go never overwrite each other") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    TextArena arena(64);
    std::vector<std::pair<TextRef, std::string>> held;
    for (int step = 0; step < 20'000; ++step) {
      if (held.size() < 64 && random() % 2 == 0) {
        std::string text(random() % (TextArena::kBytesMax + 1), ' ');
        for (char& c : text) c = static_cast<char>(random());
        held.emplace_back(arena.store(text), text);
      } else if (!held.empty()) {
        std::swap(held[random() % held.size()], held.back());
        REQUIRE(arena.view(held.back().first) == held.back().second);
        arena.release(held.back().first);
        held.pop_back();
      }
    }
    for (const auto& [ref, text] : held) REQUIRE(arena.view(ref) == text);
  }

  TEST_CASE("a text that is too long and one text too many are bugs") {
    CHECK(death_of([] { (void)TextArena(2).store(std::string(65, 'x')); }).signal == SIGABRT);
    CHECK(death_of([] {
            TextArena arena(1);
            (void)arena.store("a");
            (void)arena.store("b");
          }).signal == SIGABRT);
  }
}

}  // namespace
}  // namespace stampede
