#include "orderlog/marks.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "../base/death.h"

namespace stampede::orderlog {
namespace {

bool dies(const std::string& condition, const std::function<void()>& action) {
  return death_of(action).words.find(condition) != std::string::npos;
}

TEST_SUITE("orderlog/marks") {
  TEST_CASE("recovery puts the first two marks and the others follow") {
    Marks marks;
    marks.start_at(7);
    CHECK(marks.appended.get() == 7);
    CHECK(marks.durable.get() == 7);
    CHECK(marks.acked.get() == 0);
    marks.acked.raise(7);
    marks.drained.raise(5);
    CHECK(marks.acked.get() == 7);
    CHECK(marks.drained.get() == 5);
  }

  TEST_CASE("a mark that would go back ends the process") {
    Marks marks;
    marks.start_at(7);
    marks.acked.raise(5);
    CHECK(dies("lsn >= value_", [&] { marks.acked.raise(4); }));
    CHECK(dies("lsn >= value_", [&] { marks.durable.raise(6); }));
    marks.acked.raise(5);
  }

  TEST_CASE("a mark that would pass the one in front of it ends the process") {
    Marks marks;
    marks.start_at(7);
    CHECK(dies("lsn <= front_", [&] { marks.durable.raise(8); }));
    CHECK(dies("lsn <= front_", [&] { marks.acked.raise(8); }));
    CHECK(dies("lsn <= front_", [&] { marks.drained.raise(8); }));
    CHECK(dies("lsn <= front_", [&] { marks.drained.place(8); }));
    marks.appended.raise(8);
    marks.durable.raise(8);
    marks.acked.raise(8);
  }

  TEST_CASE("the drainer's mark follows a database that was put back") {
    Marks marks;
    marks.start_at(7);
    marks.drained.raise(7);
    marks.drained.place(3);
    CHECK(marks.drained.get() == 3);
  }
}

}  // namespace
}  // namespace stampede::orderlog
