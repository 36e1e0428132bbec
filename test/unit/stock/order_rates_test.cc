#include "stock/order_rates.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace stampede::stock {
namespace {

// Takes whatever there is; how many that was.
uint32_t take_all(RateBucket& bucket, uint32_t per_second, int64_t now_ns) {
  uint32_t taken = 0;
  while (taken < 10'000'000 && bucket.take(per_second, now_ns)) ++taken;
  return taken;
}

TEST_SUITE("stock/order_rates") {
  TEST_CASE("in every second there are as many tokens as the rate and what the bucket held") {
    for (const uint32_t rate : {1u, 3u, 19u, 20u, 1'000u, 12'345u, 1'000'000u}) {
      CAPTURE(rate);
      RateBucket bucket;
      const uint32_t content = 1 + rate / 20;
      CHECK(take_all(bucket, rate, 5 * kSecond) == content);
      uint64_t taken = 0;
      for (int64_t now_ns = 5 * kSecond; now_ns <= 15 * kSecond; now_ns += kMillisecond)
        taken += take_all(bucket, rate, now_ns);
      CHECK(taken <= uint64_t{rate} * 10);
      CHECK(taken >= uint64_t{rate} * 10 - rate / 5 - 1);
      // A long rest fills the bucket and no more.
      CHECK(take_all(bucket, rate, 1'000 * kSecond) == content);
    }
  }

  TEST_CASE("the wait is true to the nanosecond") {
    RateBucket bucket;
    int64_t now_ns = 7 * kSecond;
    CHECK(bucket.wait_ns(now_ns) == 0);
    CHECK(take_all(bucket, 100, now_ns) == 6);
    for (int i = 0; i < 20; ++i) {
      const int64_t wait_ns = bucket.wait_ns(now_ns);
      REQUIRE(wait_ns > 0);
      CHECK_FALSE(bucket.take(100, now_ns + wait_ns - 1));
      CHECK(bucket.take(100, now_ns + wait_ns));
      now_ns += wait_ns;
    }
  }

  TEST_CASE("a token that is put back can be taken") {
    RateBucket bucket;
    CHECK(take_all(bucket, 1, kSecond) == 1);
    bucket.put_back(1);
    CHECK(take_all(bucket, 1, kSecond) == 1);
  }

  TEST_CASE("another rate holds at once") {
    RateBucket bucket;
    CHECK(take_all(bucket, 10, kSecond) == 1);
    CHECK(bucket.wait_ns(kSecond) == 50 * kMillisecond);
    CHECK(take_all(bucket, 5, kSecond + 50 * kMillisecond) == 1);
    CHECK(bucket.wait_ns(kSecond + 50 * kMillisecond) == 200 * kMillisecond);
    CHECK(take_all(bucket, 1'000, 2 * kSecond) == 51);
  }

  TEST_CASE("threads share one bucket and do not multiply it") {
    RateBucket bucket;
    constexpr uint32_t kRate = 1'000'000;
    std::atomic<uint64_t> taken{0};
    std::vector<std::thread> shards;
    for (int i = 0; i < 4; ++i)
      shards.emplace_back([&] {
        for (int64_t now_ns = kSecond; now_ns < kSecond + 100 * kMillisecond; now_ns += 100'000)
          taken += take_all(bucket, kRate, now_ns);
      });
    for (std::thread& shard : shards) shard.join();
    CHECK(taken >= 50'000);
    CHECK(taken <= 150'000);
  }

  TEST_CASE("each who is refused is told of a token of his own") {
    RateBucket bucket;
    const int64_t now_ns = 5 * kSecond;
    (void)take_all(bucket, 100, now_ns);
    const int64_t next_ns = bucket.wait_ns(now_ns);
    for (uint64_t user = 0; user < 1'000; ++user)
      CHECK(bucket.turn_ns(user, 100, now_ns) ==
            next_ns + static_cast<int64_t>(user) * 10 * kMillisecond);
    // Moments that have passed are nobody's.
    CHECK(bucket.turn_ns(7, 100, 100 * kSecond) == 0);
    CHECK(bucket.turn_ns(7, 100, 100 * kSecond) == 10 * kMillisecond);
  }

  TEST_CASE("who comes up to 50 ms late for his token finds it and so does the next one") {
    for (const uint32_t rate : {3u, 10u, 20u, 100u, 3'000u}) {
      CAPTURE(rate);
      RateBucket bucket;
      const int64_t now_ns = 5 * kSecond;
      (void)take_all(bucket, rate, now_ns);
      std::vector<int64_t> arrivals;
      for (int64_t user = 0; user < 80; ++user)
        arrivals.push_back(now_ns + bucket.turn_ns(static_cast<uint64_t>(user), rate, now_ns) +
                           user * 17 % 50 * kMillisecond);
      std::ranges::sort(arrivals);
      for (const int64_t at_ns : arrivals) CHECK(bucket.take(rate, at_ns));
    }
  }

  TEST_CASE("a crowd that needs longer than half a minute comes back spread over that") {
    RateBucket bucket;
    const int64_t now_ns = 5 * kSecond;
    (void)take_all(bucket, 10, now_ns);
    for (uint64_t user = 0; user < 300; ++user) (void)bucket.turn_ns(user, 10, now_ns);
    std::vector<int64_t> shares;
    for (uint64_t user = 0; user < 3'000; ++user)
      shares.push_back(bucket.turn_ns(user, 10, now_ns) - bucket.wait_ns(now_ns));
    CHECK(std::ranges::min(shares) >= 0);
    CHECK(std::ranges::max(shares) <= 30 * kSecond);
    for (int64_t from_ns = 0; from_ns < 30 * kSecond; from_ns += kSecond)
      CHECK(std::ranges::count_if(
                shares, [&](int64_t ns) { return ns >= from_ns && ns < from_ns + kSecond; }) > 50);
    // The same share for the same user in one second, and another one in the next.
    const int64_t share_ns = bucket.turn_ns(7, 10, now_ns);
    CHECK(bucket.turn_ns(7, 10, now_ns) == share_ns);
    for (uint64_t user = 0; user < 300; ++user) (void)bucket.turn_ns(user, 10, now_ns + kSecond);
    CHECK(std::abs(bucket.turn_ns(7, 10, now_ns + kSecond) - share_ns) > kSecond / 10);
  }

  TEST_CASE("of item and sale each gives a token or neither does") {
    OrderRates rates;
    CHECK(rates.take(3, 1, 1, kSecond));
    CHECK_FALSE(rates.take(4, 1, 1, kSecond));  // the sale has none
    CHECK(rates.take(4, 1, 0, kSecond));        // and the item has lost none by that
    CHECK_FALSE(rates.take(4, 1, 0, kSecond));
    CHECK_FALSE(rates.take(3, 1, 1, kSecond));
    CHECK(rates.take(5, 0, 0, kSecond));
    CHECK(rates.take(3, 1, 1, 2 * kSecond));
  }

  TEST_CASE("each item has a bucket of its own") {
    OrderRates rates;
    CHECK(take_all(rates.of_item(3), 1, kSecond) == 1);
    CHECK(take_all(rates.of_item(4), 1, kSecond) == 1);
    CHECK(take_all(rates.of_item(bounds::item_count_max - 1), 1, kSecond) == 1);
    CHECK(take_all(rates.sale(), 1, kSecond) == 1);
    CHECK(take_all(rates.of_item(3), 1, kSecond) == 0);
  }
}

}  // namespace
}  // namespace stampede::stock
