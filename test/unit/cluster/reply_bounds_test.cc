// A reply of Redis is bounded before hiredis takes memory for it.
#include "cluster/reply_bounds.h"

#include <doctest/doctest.h>
#include <hiredis/hiredis.h>

#include <memory>
#include <string>

namespace stampede::cluster {
namespace {

// What hiredis makes of bytes; null while it waits for more. `is_refused`: the connection would end.
struct Read {
  explicit Read(const std::string& bytes) {
    bound_replies(*reader);
    redisReaderFeed(reader.get(), bytes.data(), bytes.size());
    void* found = nullptr;
    is_refused = redisReaderGetReply(reader.get(), &found) != REDIS_OK;
    reply.reset(static_cast<redisReply*>(found));
  }

  std::unique_ptr<redisReader, void (*)(redisReader*)> reader{redisReaderCreate(), redisReaderFree};
  std::unique_ptr<redisReply, void (*)(void*)> reply{nullptr, freeReplyObject};
  bool is_refused = false;
};

TEST_SUITE("cluster/reply_bounds") {
  TEST_CASE("an array of more elements than any reply has is refused at its head") {
    CHECK(Read("*536870912\r\n").is_refused);
    CHECK(Read("*" + std::to_string(reply_elements_max + 1) + "\r\n").is_refused);
    CHECK(Read("*2\r\n$2\r\nOK\r\n*536870912\r\n").is_refused);
    CHECK_FALSE(Read("*" + std::to_string(reply_elements_max) + "\r\n").is_refused);
  }

  TEST_CASE("other replies are what they are") {
    const Read two("*2\r\n$2\r\nOK\r\n*2\r\n:1\r\n:2\r\n");
    REQUIRE(two.reply);
    CHECK(two.reply->elements == 2);
    CHECK(two.reply->element[1]->element[1]->integer == 2);
    const Read none("*-1\r\n");
    REQUIRE(none.reply);
    CHECK(none.reply->type == REDIS_REPLY_NIL);
  }
}

}  // namespace
}  // namespace stampede::cluster
