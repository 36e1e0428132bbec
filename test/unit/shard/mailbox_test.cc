#include "shard/mailbox.h"

#include <doctest/doctest.h>

#include <csignal>
#include <thread>

#include "../base/death.h"

namespace stampede::shard {
namespace {

OrderRequest request_of(RequestKind kind, uint32_t place, uint16_t shard = 0) {
  OrderRequest request;
  request.kind = kind;
  request.reply_to = {.shard = shard, .place = place};
  return request;
}
OrderAnswer answer_to(const OrderRequest& request) {
  OrderAnswer answer;
  answer.kind = request.kind;
  answer.reply_to = request.reply_to;
  return answer;
}

TEST_SUITE("shard/mailbox") {
  TEST_CASE("orders that the door objects to leave half of the credits to others") {
    OrderLanes lanes(2);
    Mailbox here(0, lanes);
    OrderRequest objected = request_of(RequestKind::create, 0);
    objected.objection = Verdict::rate_limited;
    uint32_t sent = 0;
    while (here.send(1, objected)) ++sent;
    CHECK(sent == bounds::order_credits / 2);
    for (sent = 0; here.send(1, request_of(RequestKind::create, 0));) ++sent;
    CHECK(sent == bounds::order_credits / 2);
  }

  TEST_CASE("without a credit a request is not sent and an answer gives the credit back") {
    OrderLanes lanes(2);
    Mailbox here(0, lanes), there(1, lanes);
    uint32_t sent = 0;
    while (here.send(1, request_of(RequestKind::create, sent))) ++sent;
    CHECK(sent == bounds::order_credits);
    CHECK_FALSE(here.send(1, request_of(RequestKind::link, sent)));  // who wants a new order, too
    CHECK(here.send(1, request_of(RequestKind::pay, 7)));  // payments have credits of their own
    bool is_first = true;
    there.take_requests([&](const OrderRequest& request) {
      if (is_first) CHECK(request.kind == RequestKind::pay);  // and come first
      is_first = false;
      there.answer(answer_to(request));
    });
    uint32_t answered = 0;
    here.take_answers([&](const OrderAnswer&) { ++answered; });
    CHECK(answered == 1 + bounds::batch_orders_max);
    sent = 0;
    while (here.send(1, request_of(RequestKind::create, sent))) ++sent;
    CHECK(sent == bounds::batch_orders_max);
  }

  TEST_CASE("notices never take the room of answers that are owed") {
    OrderLanes lanes(2);
    Mailbox here(0, lanes), there(1, lanes);
    uint32_t owed = 0;
    while (here.send(1, request_of(RequestKind::create, owed))) ++owed;
    OrderAnswer notice;
    notice.is_notice = true;
    for (int i = 0; i < 10'000; ++i) there.answer(notice);
    while (owed > 0)
      there.take_requests([&](const OrderRequest& request) {
        there.answer(answer_to(request));  // a CHECK fails here if there is no room
        --owed;
      });
    uint32_t notices = 0;
    for (int round = 0; round < 20; ++round) {
      here.take_answers([&](const OrderAnswer& answer) { notices += answer.is_notice; });
      there.send_waiting_notices();
    }
    CHECK(notices == 10'000);
  }

  TEST_CASE("a credit that comes back while its request is still visited can be used at once") {
    OrderLanes lanes(2);
    Mailbox here(0, lanes), there(1, lanes);
    while (here.send(1, request_of(RequestKind::create, 0))) {
    }
    bool has_sent = false;
    there.take_requests([&](const OrderRequest& request) {
      there.answer(answer_to(request));
      here.take_answers([](const OrderAnswer&) {});
      has_sent = here.send(
          1, request_of(RequestKind::create, 1));  // a CHECK fails here if there is no cell
    });
    CHECK(has_sent);
  }

  TEST_CASE("every request that was sent has been answered or has not") {
    OrderLanes lanes(2);
    Mailbox here(0, lanes), there(1, lanes);
    CHECK(here.has_all_answers());
    REQUIRE(here.send(1, request_of(RequestKind::create, 1)));
    REQUIRE(here.send(1, request_of(RequestKind::pay, 2)));
    OrderAnswer notice;
    notice.is_notice = true;
    there.answer(notice);
    int answered = 0;
    there.take_requests([&](const OrderRequest& request) {
      if (answered++ == 0) there.answer(answer_to(request));
    });
    here.take_answers([](const OrderAnswer&) {});
    CHECK_FALSE(here.has_all_answers());
    there.answer(answer_to(request_of(RequestKind::create, 1)));
    here.take_answers([](const OrderAnswer&) {});
    CHECK(here.has_all_answers());
  }

  TEST_CASE("a message at the wrong door ends the process") {
    OrderLanes lanes(2);
    Mailbox here(0, lanes), there(1, lanes);
    const auto dies = [](std::string_view condition, auto action) {
      return death_of(action).words.find(condition) != std::string::npos;
    };
    CHECK(dies("to != shard_", [&] { (void)here.send(0, request_of(RequestKind::create, 0)); }));
    CHECK(dies("shard == shard_",
               [&] { (void)here.send(1, request_of(RequestKind::create, 0, 1)); }));
    CHECK(dies("to != shard_",
               [&] { there.answer(answer_to(request_of(RequestKind::create, 0, 1))); }));
    // Requests and answers that say that they are another's.
    REQUIRE(lanes.pair(0, 1).creates.push(request_of(RequestKind::create, 0, 1)));
    CHECK(dies("shard == from", [&] { there.take_requests([](const OrderRequest&) {}); }));
    REQUIRE(lanes.pair(1, 0).answers.push(answer_to(request_of(RequestKind::create, 0, 1))));
    CHECK(dies("shard == shard_", [&] { here.take_answers([](const OrderAnswer&) {}); }));
  }

  TEST_CASE("an answer that nobody asked for ends the process") {
    OrderLanes lanes(2);
    Mailbox here(0, lanes), there(1, lanes);
    there.answer(answer_to(request_of(RequestKind::create, 0)));
    const Death death = death_of([&] { here.take_answers([](const OrderAnswer&) {}); });
    CHECK(death.words.find("credits < bounds::order_credits") != std::string::npos);
  }

  TEST_CASE("another thread than the owner's ends the process") {
    OrderLanes lanes(2);
    Mailbox here(0, lanes);
    std::thread([&] { here.bind(); }).join();
    const Death death = death_of([&] { (void)here.send(1, request_of(RequestKind::create, 0)); });
    CHECK(death.words.find("owner_.is_mine()") != std::string::npos);
  }

  TEST_CASE("requests and answers between two threads arrive once each and in order") {
    OrderLanes lanes(2);
    constexpr uint32_t kRequests = 200'000;
    std::thread home([&] {
      Mailbox there(1, lanes);
      for (uint32_t taken = 0; taken < kRequests;) {
        uint32_t now = 0;
        there.take_requests([&](const OrderRequest& request) {
          there.answer(answer_to(request));
          ++now;
        });
        taken += now;
        if (now == 0) std::this_thread::yield();
      }
    });
    Mailbox here(0, lanes);
    uint32_t sent = 0, answered = 0;
    bool in_order = true;
    while (answered < kRequests) {
      while (sent < kRequests && here.send(1, request_of(RequestKind::create, sent))) ++sent;
      const uint32_t before = answered;
      here.take_answers([&](const OrderAnswer& answer) {
        in_order = in_order && answer.reply_to.place == answered++;
      });
      if (answered == before) std::this_thread::yield();
    }
    home.join();
    CHECK(in_order);
    CHECK_FALSE(here.has_mail());
  }
}

}  // namespace
}  // namespace stampede::shard
