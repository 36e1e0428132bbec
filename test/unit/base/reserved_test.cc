#include "base/reserved.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdio>

#include "death.h"

namespace stampede {
namespace {

size_t resident_bytes() {
  size_t all = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  const int fields = std::fscanf(file, "%zu %zu", &all, &resident);
  std::fclose(file);
  return fields == 2 ? resident * 4096 : 0;
}

TEST_SUITE("base/reserved") {
  TEST_CASE("cells begin as zero and keep what is written") {
    Reserved<uint64_t> cells(1'000);
    for (size_t i = 0; i < 1'000; ++i) REQUIRE(cells[i] == 0);
    for (size_t i = 0; i < 1'000; ++i) cells[i] = i;
    for (size_t i = 0; i < 1'000; ++i) REQUIRE(cells[i] == i);
    CHECK(cells.capacity() == 1'000);
  }

  TEST_CASE("reserving costs nothing until a cell is touched") {
    const size_t before = resident_bytes();
    Reserved<uint64_t> cells(size_t{1} << 30);  // 8 GB
    cells[0] = 1;
    cells[(size_t{1} << 30) - 1] = 1;
    CHECK(resident_bytes() < before + (size_t{64} << 20));
  }

  TEST_CASE("an array that is reached has memory some pages ahead and none behind its end") {
    constexpr size_t kCells = size_t{1} << 20;  // 8 MB
    Reserved<uint64_t> cells(kCells);
    const size_t before = resident_bytes();
    cells.reach(0);
    CHECK(resident_bytes() < before + 1024 * 1024);
    for (size_t i = 0; i < kCells; ++i) {
      cells.reach(i);
      if (i % 1'000 == 0) CHECK(cells[i] == 0);
      cells[i] = i;
    }
    for (size_t i = 0; i < kCells; ++i) REQUIRE(cells[i] == i);
    Reserved<char> small(10);
    small.reach(9);
    small[9] = 'x';
    Reserved<char> moved(std::move(small));
    moved.reach(9);
    CHECK(moved[9] == 'x');
  }

  TEST_CASE("a moved array keeps its cells and leaves an empty one") {
    Reserved<int> from(4);
    from[3] = 7;
    Reserved<int> to(std::move(from));
    CHECK(to[3] == 7);
    CHECK(from.capacity() == 0);
    Reserved<int> other(2);
    other = std::move(to);
    CHECK(other.capacity() == 4);
    CHECK(other[3] == 7);
  }

  TEST_CASE("a cell beyond the end is a bug") {
    CHECK(death_of([] { Reserved<int>(4)[4] = 1; }).signal == SIGABRT);
    CHECK(death_of([] { Reserved<int>(0)[0] = 1; }).signal == SIGABRT);
  }
}

}  // namespace
}  // namespace stampede
