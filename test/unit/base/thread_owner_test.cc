#include "base/thread_owner.h"

#include <doctest/doctest.h>

#include <thread>

#include "death.h"

namespace stampede {
namespace {

TEST_SUITE("base/thread_owner") {
  TEST_CASE("until it is bound an object is anybody's and then one thread's") {
    ThreadOwner owner;
    CHECK(owner.is_mine());
    std::thread([&] {
      CHECK(owner.is_mine());
      owner.bind();
      CHECK(owner.is_mine());
    }).join();
    CHECK_FALSE(owner.is_mine());
    owner.release();
    CHECK(owner.is_mine());
    owner.bind();
    CHECK(owner.is_mine());
    std::thread([&] { CHECK_FALSE(owner.is_mine()); }).join();
  }

  TEST_CASE("nobody takes an object from its owner") {
    ThreadOwner owner;
    owner.bind();
    CHECK(death_of([&] { owner.bind(); }).words.find("owner_ == nullptr") != std::string::npos);
  }
}

}  // namespace
}  // namespace stampede
