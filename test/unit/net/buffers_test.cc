#include "net/buffers.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace stampede;
using namespace stampede::net;

namespace {

constexpr size_t kSmall = chunk_capacity(ChunkSize::small);
constexpr size_t kMedium = chunk_capacity(ChunkSize::medium);
constexpr size_t kLarge = chunk_capacity(ChunkSize::large);

std::string text_of_bytes(size_t bytes, unsigned seed = 0) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + (i * 7 + seed) % 26);
  return text;
}

std::string string_of(std::span<const char> bytes) {
  return {bytes.begin(), bytes.end()};
}

// From /proc/self/statm.
size_t resident_bytes_of_process() {
  std::ifstream file("/proc/self/statm");
  size_t pages = 0, resident_pages = 0;
  file >> pages >> resident_pages;
  return resident_pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

bool holds_nothing(const BufferPool& pool) {
  return pool.lent() == BufferPool::Counts{};
}

// All that the queue holds, taken in pieces of at most `step`.
std::string drain(OutputQueue& queue, BufferPool& pool, size_t step) {
  std::string all;
  while (!queue.empty()) {
    const std::span<const char> front = queue.front();
    REQUIRE_FALSE(front.empty());
    const size_t bytes = std::min(step, front.size());
    all.append(front.data(), bytes);
    queue.consume(pool, bytes);
  }
  return all;
}

}  // namespace

TEST_SUITE("net/buffers") {
  TEST_CASE("a pool lends its bound of each size and no chunk twice") {
    BufferPool pool({3, 2, 1});
    std::set<Chunk*> lent;
    for (const auto& [size, count] :
         {std::pair{ChunkSize::small, 3}, {ChunkSize::medium, 2}, {ChunkSize::large, 1}}) {
      for (int i = 0; i < count; ++i) {
        Chunk* chunk = pool.lend(size);
        REQUIRE(chunk);
        CHECK(chunk->room().size() == chunk_capacity(size));
        std::fill(chunk->room().begin(), chunk->room().end(), 'x');
        CHECK(lent.insert(chunk).second);
      }
      CHECK(pool.lend(size) == nullptr);
    }
    CHECK(pool.lent() == BufferPool::Counts{3, 2, 1});
    for (Chunk* chunk : lent) pool.take_back(chunk);
    CHECK(holds_nothing(pool));
  }

  TEST_CASE("a returned chunk is lent again empty and needs no new memory") {
    BufferPool pool({2, 0, 0});
    Chunk* chunk = pool.lend(ChunkSize::small);
    const size_t resident = pool.resident_bytes();
    chunk->end = 100;
    pool.take_back(chunk);
    Chunk* again = pool.lend(ChunkSize::small);
    CHECK(again == chunk);
    CHECK(again->end == 0);
    CHECK(again->next == nullptr);
    CHECK(pool.resident_bytes() == resident);
  }

  TEST_CASE("a pool grows past a step of memory up to its bound") {
    constexpr uint32_t count = 1024;  // 4 MiB
    BufferPool pool({count, 0, 0});
    for (uint32_t i = 0; i < count; ++i) {
      Chunk* chunk = pool.lend(ChunkSize::small);
      REQUIRE(chunk);
      chunk->data()[kSmall - 1] = 'x';
    }
    CHECK(pool.resident_bytes() == count * kChunkBytes[0]);
    CHECK(pool.lend(ChunkSize::small) == nullptr);
  }

  // After a flood the machine has its memory back, measured as the kernel counts it.
  TEST_CASE("idle memory is given back and lent again") {
    constexpr uint32_t count = 8'192;  // 32 MiB of small chunks
    BufferPool pool({count, 64, 16});
    std::vector<Chunk*> lent;
    const auto lend_all = [&] {
      for (const ChunkSize size : {ChunkSize::small, ChunkSize::medium, ChunkSize::large})
        while (Chunk* chunk = pool.lend(size)) {
          std::fill(chunk->room().begin(), chunk->room().end(), 'x');
          lent.push_back(chunk);
        }
    };
    const auto take_back_all = [&] {
      for (Chunk* chunk : lent) pool.take_back(chunk);
      lent.clear();
    };
    const auto give_back_all = [&] {
      uint32_t calls = 0;
      for (int rounds = 0; rounds < 2; ++rounds)
        while (pool.give_back_idle(256)) REQUIRE(++calls < 1'000);
    };
    const size_t before = resident_bytes_of_process();
    lend_all();
    const size_t flooded = resident_bytes_of_process();
    CHECK(flooded - before > 30 * 1024 * 1024);
    CHECK(!pool.give_back_idle(256));
    take_back_all();
    // What was lent a moment ago is warm.
    CHECK(!pool.give_back_idle(256));
    CHECK(pool.resident_bytes() > 30 * 1024 * 1024);
    give_back_all();
    CHECK(pool.resident_bytes() <= 3 * 1024 * 1024);
    CHECK(resident_bytes_of_process() < flooded - 25 * 1024 * 1024);
    // What comes again is empty and whole.
    lend_all();
    CHECK(lent.size() == count + 64 + 16);
    for (Chunk* chunk : lent) CHECK(chunk->end == 0);
    take_back_all();
    CHECK(holds_nothing(pool));
  }

  TEST_CASE("memory that is used all the time is not given back") {
    BufferPool pool({4'096, 0, 0});
    std::vector<Chunk*> lent;
    for (int second = 0; second < 5; ++second) {
      while (Chunk* chunk = pool.lend(ChunkSize::small)) lent.push_back(chunk);
      for (Chunk* chunk : lent) pool.take_back(chunk);
      lent.clear();
      CHECK(!pool.give_back_idle(256));
    }
    CHECK(pool.resident_bytes() == 4'096 * kChunkBytes[0]);
    CHECK(pool.can_lend(ChunkSize::small));
    CHECK(!pool.can_lend(ChunkSize::large));
    CHECK(pool.returns() == 5 * 4'096);
  }

  TEST_CASE("an empty buffer or queue holds no chunk and is small") {
    BufferPool pool({2, 0, 0});
    InputBuffer input;
    OutputQueue output;
    CHECK(sizeof(InputBuffer) <= 16);
    CHECK(sizeof(OutputQueue) <= 24);
    CHECK(input.empty());
    CHECK(input.kept().empty());
    CHECK(output.empty());
    CHECK(output.front().empty());
    REQUIRE(input.append(pool, std::string("in")));
    REQUIRE(output.append(pool, std::string("out")));
    CHECK_FALSE(holds_nothing(pool));
    input.consume(pool, 2);
    output.consume(pool, 3);
    CHECK(holds_nothing(pool));
  }

  TEST_CASE("input grows through all sizes in one piece and stops at the largest") {
    BufferPool pool({1, 1, 1});
    InputBuffer input;
    std::string sent;
    while (true) {
      const std::span<char> room = input.room(pool);
      if (room.empty()) break;
      const std::string piece =
          text_of_bytes(std::min<size_t>(room.size(), 1'013), sent.size() % 26);
      std::copy(piece.begin(), piece.end(), room.begin());
      input.extend(piece.size());
      sent += piece;
    }
    CHECK(sent.size() == kLarge);
    CHECK(string_of(input.kept()) == sent);
    CHECK(pool.lent() == BufferPool::Counts{0, 0, 1});
    CHECK_FALSE(input.append(pool, std::string("x")));
    input.clear(pool);
    CHECK(holds_nothing(pool));
  }

  TEST_CASE("consumed input makes room in the same chunk") {
    BufferPool pool({1, 0, 0});
    InputBuffer input;
    REQUIRE(input.append(pool, text_of_bytes(kSmall)));
    CHECK(input.room(pool).empty());
    input.consume(pool, kSmall - 10);
    const std::string tail = string_of(input.kept());
    CHECK(input.room(pool).size() == kSmall - 10);
    CHECK(string_of(input.kept()) == tail);
    REQUIRE(input.append(pool, text_of_bytes(kSmall - 10, 3)));
    CHECK(string_of(input.kept()) == tail + text_of_bytes(kSmall - 10, 3));
  }

  TEST_CASE("input that finds no chunk keeps what it has") {
    BufferPool pool({1, 0, 0});
    InputBuffer input;
    REQUIRE(input.append(pool, text_of_bytes(kSmall)));
    CHECK_FALSE(input.append(pool, std::string("more")));
    CHECK(string_of(input.kept()) == text_of_bytes(kSmall));
    InputBuffer other;
    CHECK(other.room(pool).empty());
    CHECK_FALSE(other.append(pool, std::string("x")));
  }

  TEST_CASE("a read that brought nothing gives its chunk back") {
    BufferPool pool({1, 0, 0});
    InputBuffer input;
    REQUIRE_FALSE(input.room(pool).empty());
    CHECK(input.empty());
    input.clear(pool);
    CHECK(holds_nothing(pool));
  }

  TEST_CASE("answers leave a queue in order whatever the pieces") {
    for (const size_t step : {size_t{1}, size_t{1'000}, kSmall, size_t{1} << 20}) {
      BufferPool pool({4, 8, 0});
      OutputQueue queue;
      std::string sent;
      for (unsigned i = 0; i < 120; ++i) {
        const std::string answer = text_of_bytes(1 + i * i % 997, i);
        REQUIRE(queue.append(pool, answer));
        sent += answer;
      }
      CHECK(queue.bytes() == sent.size());
      CHECK(drain(queue, pool, step) == sent);
      CHECK(holds_nothing(pool));
    }
  }

  TEST_CASE("sixteen answers to pipelined requests lie in one piece") {
    BufferPool pool({1, 1, 0});
    OutputQueue queue;
    for (unsigned i = 0; i < 16; ++i) REQUIRE(queue.append(pool, text_of_bytes(450, i)));
    CHECK(queue.front().size() == 16 * 450);
    CHECK(pool.lent() == BufferPool::Counts{0, 1, 0});
  }

  TEST_CASE("a long answer spans chunks") {
    BufferPool pool({1, 8, 0});
    OutputQueue queue;
    const std::string answer = text_of_bytes(100'000);
    REQUIRE(queue.append(pool, std::string("head")));
    REQUIRE(queue.append(pool, answer));
    CHECK(drain(queue, pool, 10'000) == "head" + answer);
  }

  TEST_CASE("an answer that does not fit into the pool leaves no half of itself") {
    BufferPool pool({1, 2, 0});
    OutputQueue queue;
    REQUIRE(queue.append(pool, text_of_bytes(kSmall)));
    const BufferPool::Counts before = pool.lent();
    CHECK_FALSE(queue.append(pool, text_of_bytes(3 * kMedium)));
    CHECK(queue.bytes() == kSmall);
    CHECK(pool.lent() == before);
    REQUIRE(queue.append(pool, text_of_bytes(100, 5)));
    CHECK(drain(queue, pool, 1 << 20) == text_of_bytes(kSmall) + text_of_bytes(100, 5));

    OutputQueue other;
    CHECK_FALSE(other.append(pool, text_of_bytes(3 * kMedium)));
    CHECK(other.empty());
    CHECK(holds_nothing(pool));
  }

  TEST_CASE("an answer can be written in place") {
    BufferPool pool({1, 4, 0});
    OutputQueue queue;
    std::string sent;
    for (unsigned i = 0; i < 40; ++i) {
      const std::string answer = text_of_bytes(1'500, i);
      const std::span<char> room = queue.room(pool, 2'000);
      REQUIRE(room.size() >= 2'000);
      std::copy(answer.begin(), answer.end(), room.begin());
      queue.extend(answer.size());
      sent += answer;
      if (queue.bytes() > 40'000) {
        CHECK(drain(queue, pool, 3'000) == sent);
        sent.clear();
      }
    }
    CHECK(drain(queue, pool, 1) == sent);
    CHECK(holds_nothing(pool));
  }

  TEST_CASE("room that was not used is no answer") {
    BufferPool pool({1, 2, 0});
    OutputQueue queue;
    REQUIRE_FALSE(queue.room(pool, 10).empty());
    CHECK(queue.empty());
    REQUIRE_FALSE(queue.room(pool, kMedium).empty());
    REQUIRE(queue.append(pool, std::string("answer")));
    CHECK(drain(queue, pool, 100) == "answer");
    CHECK(holds_nothing(pool));
  }

  TEST_CASE("random traffic through one pool comes out as it went in") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    BufferPool pool({6, 12, 3});
    struct Lane {
      OutputQueue queue;
      std::string expected;
    };
    std::vector<Lane> lanes(8);
    for (int step = 0; step < 20'000; ++step) {
      Lane& lane = lanes[random() % lanes.size()];
      const size_t bytes = random() % (random() % 8 == 0 ? 40'000 : 900);
      const unsigned action = random() % 4;
      if (action == 0) {
        const std::string answer = text_of_bytes(bytes, step);
        if (lane.queue.append(pool, answer)) lane.expected += answer;
      } else if (action == 1) {
        const size_t wanted = std::min(bytes, kMedium);
        const std::span<char> room = lane.queue.room(pool, wanted);
        if (room.empty()) continue;
        const std::string answer = text_of_bytes(wanted, step);
        std::copy(answer.begin(), answer.end(), room.begin());
        lane.queue.extend(wanted);
        lane.expected += answer;
      } else {
        const std::span<const char> front = lane.queue.front();
        REQUIRE(lane.expected.starts_with(std::string_view(front.data(), front.size())));
        const size_t sent = std::min(bytes, front.size());
        lane.queue.consume(pool, sent);
        lane.expected.erase(0, sent);
      }
      REQUIRE(lane.queue.bytes() == lane.expected.size());
    }
    for (Lane& lane : lanes) CHECK(drain(lane.queue, pool, 5'000) == lane.expected);
    CHECK(holds_nothing(pool));
  }
}
