#include "cluster/redis_url.h"

#include <doctest/doctest.h>

namespace {

using namespace stampede;
using namespace stampede::cluster;

std::string complaint(std::string_view url) {
  const Result<RedisUrl> parsed = parse_redis_url(url);
  return parsed ? "none: " + text_of(*parsed) : parsed.error().message;
}

// Parsed, as it is shown.
std::string shown(std::string_view url) {
  const Result<RedisUrl> parsed = parse_redis_url(url);
  return parsed ? text_of(*parsed) : "error: " + parsed.error().message;
}

RedisUrl parsed(std::string_view url) {
  Result<RedisUrl> result = parse_redis_url(url);
  REQUIRE_MESSAGE(result, url);
  return *result;
}

}  // namespace

TEST_SUITE_BEGIN("cluster/redis_url");

TEST_CASE("what was left out has its default") {
  const RedisUrl single = parsed("redis://stock.example");
  CHECK(single.kind == RedisUrl::Kind::single);
  CHECK(single.hosts == std::vector<HostPort>{{.host = "stock.example", .port = 6379}});
  CHECK((single.user + single.password + single.master) == "");
  CHECK(single.database == 0);
  CHECK(shown("redis+cluster://a,b") == "redis+cluster://a:6379,b:6379");
  CHECK(shown("redis+sentinel://a,b/sale") == "redis+sentinel://a:26379,b:26379/sale");
}

TEST_CASE("every part of each form is read") {
  const RedisUrl single = parsed("redis://sale:secret@10.0.0.7:7000/3");
  CHECK(single.hosts.front() == HostPort{.host = "10.0.0.7", .port = 7000});
  CHECK(single.user == "sale");
  CHECK(single.password == "secret");
  CHECK(single.database == 3);
  const RedisUrl sentinel = parsed("redis+sentinel://sale:secret@a:1,b,[::1]:65535/main/15");
  CHECK(sentinel.kind == RedisUrl::Kind::sentinel);
  CHECK(sentinel.hosts == std::vector<HostPort>{{"a", 1}, {"b", 26379}, {"::1", 65535}});
  CHECK(sentinel.master == "main");
  CHECK(sentinel.database == 15);
  const RedisUrl cluster = parsed("redis+cluster://:secret@a:1,b:2");
  CHECK(cluster.kind == RedisUrl::Kind::cluster);
  CHECK(cluster.hosts.size() == 2);
  CHECK(cluster.user == "");
  CHECK(cluster.password == "secret");
}

TEST_CASE("a database that is not named after the slash is the first") {
  CHECK(shown("redis://a/") == "redis://a:6379");
  CHECK(shown("redis://a/0") == "redis://a:6379");
  CHECK(shown("redis+cluster://a/0") == "redis+cluster://a:6379");
  CHECK(shown("redis+sentinel://a/sale/") == "redis+sentinel://a:26379/sale");
  CHECK(parsed("redis://a/1000000").database == 1'000'000);
}

TEST_CASE("an IPv6 address stands in brackets") {
  CHECK(parsed("redis://[fd00::7]").hosts.front() == HostPort{.host = "fd00::7", .port = 6379});
  CHECK(shown("redis://[fd00::7]:7000/2") == "redis://[fd00::7]:7000/2");
  for (const char* url : {"redis://::1", "redis://fd00::7:1", "redis://[::1", "redis://[::1]7",
                          "redis://[::1]:", "redis://[]"}) {
    CAPTURE(url);
    CHECK(complaint(url).starts_with("expected host:port, not '"));
  }
}

TEST_CASE("user and password are percent decoded and may hold anything") {
  const RedisUrl url = parsed("redis://sa%6Ce:%40%2f%3A:%25\xc3\xa9@a");
  CHECK(url.user == "sale");
  CHECK(url.password == "@/::%\xc3\xa9");
  CHECK(parsed("redis://:a/b@c@host").password == "a/b@c");  // forgiven: the last @ counts
  for (const char* url_text : {"redis://:%@a", "redis://:%4@a", "redis://:%4g@a", "redis://:%+4@a",
                               "redis://:%-4@a", "redis://%zz:secret@a"}) {
    CAPTURE(url_text);
    CHECK(complaint(url_text) == "user and password: % must be followed by two hex digits");
  }
}

TEST_CASE("a user without a password is refused") {
  for (const char* url : {"redis://sale@a", "redis://@a", "redis://sale:@a", "redis://:@a"}) {
    CAPTURE(url);
    CHECK(complaint(url) == "expected user:password@ or :password@ before the host");
  }
}

TEST_CASE("another scheme or no host is refused") {
  for (const char* url : {"", "redis", "redis:/a", "rediss://a", "redis+sentinels://a", "http://a",
                          "REDIS://a", " redis://a", "redis://", "redis+cluster://"}) {
    CAPTURE(url);
    CHECK(complaint(url) == "expected redis://, redis+sentinel:// or redis+cluster:// and a host");
  }
  for (const char* url : {"redis:///3", "redis://:7", "redis://:secret@", "redis+cluster://a,",
                          "redis+cluster://,a", "redis+cluster://a,,b", "redis+sentinel:///sale"}) {
    CAPTURE(url);
    CHECK(complaint(url).starts_with("expected host:port, not '"));
  }
}

TEST_CASE("a port is between 1 and 65535") {
  for (const char* port : {"", "0", "65536", "-1", "+1", "1x", "x", " 1", "99999999999999999999"}) {
    CAPTURE(port);
    CHECK(complaint("redis://a:" + std::string(port)).starts_with("expected host:port, not 'a:"));
  }
}

TEST_CASE("several hosts need sentinels or a cluster and sentinels need a master") {
  CHECK(complaint("redis://a,b") ==
        "one host, or redis+sentinel:// or redis+cluster:// for several");
  for (const char* url : {"redis+sentinel://a", "redis+sentinel://a/", "redis+sentinel://a//3"}) {
    CAPTURE(url);
    CHECK(complaint(url) == "expected /master behind the sentinels");
  }
}

TEST_CASE("a database is a number and a cluster has only the first") {
  for (const char* database : {"x", "-1", "1000001", "3/4", "3 ", "4294967296"}) {
    CAPTURE(database);
    const std::string expected =
        "expected the number of a database, not '" + std::string(database) + "'";
    CHECK(complaint("redis://a/" + std::string(database)) == expected);
    CHECK(complaint("redis+sentinel://a/sale/" + std::string(database)) == expected);
  }
  CHECK(complaint("redis+cluster://a/1") == "a cluster has database 0 only");
}

TEST_CASE("sentinels have a password and a user of their own") {
  const RedisUrl url = parsed(
      "redis+sentinel://sale:data@a,b/main/3?sentinel_password=p%40%26q&sentinel_user=watch");
  CHECK(url.hosts.size() == 2);
  CHECK(url.user == "sale");
  CHECK(url.password == "data");
  CHECK(url.master == "main");
  CHECK(url.database == 3);
  CHECK(url.sentinel_user == "watch");
  CHECK(url.sentinel_password == "p@&q");
  CHECK(parsed("redis+sentinel://a/main?sentinel_password=word").sentinel_password == "word");
  CHECK(shown("redis+sentinel://a/main?sentinel_user=watch&sentinel_password=secret") ==
        "redis+sentinel://a:26379/main?sentinel_password=***&sentinel_user=watch");
  for (const std::string wrong :
       {"redis://a?sentinel_password=secret", "redis+cluster://a/?sentinel_password=secret",
        "redis+sentinel://a/main?sentinel_user=secret", "redis+sentinel://a/main?password=secret",
        "redis+sentinel://a/main?sentinel_password=secret&x=y",
        "redis+sentinel://a/main?sentinel_password=sec@secret/x&secret",
        "redis+sentinel://a/main?sentinel_password=", "redis+sentinel://a/main?"}) {
    CAPTURE(wrong);
    CHECK(complaint(wrong).find("?") != std::string::npos);
    CHECK(complaint(wrong).find("secret") == std::string::npos);
  }
}

TEST_CASE("the text for people never holds the password") {
  CHECK(shown("redis://sale:secret@a:7/3") == "redis://sale:***@a:7/3");
  CHECK(shown("redis://:secret@a") == "redis://:***@a:6379");
  CHECK(shown("redis+sentinel://sale:secret@a,b/main") ==
        "redis+sentinel://sale:***@a:26379,b:26379/main");
  CHECK(shown("redis+cluster://sale:secret@a") == "redis+cluster://sale:***@a:6379");
  for (const std::string wrong :
       {"redis://sale:secret@", "redis://sale:secret@a:0", "redis://sale:secret%@a",
        "redis://sale:secret@a/x", "redis://sale:secret@a,b", "redis+sentinel://sale:secret@a",
        "redis://:secret", "redis://sale:secret", "redis://sale:secret/3", "sale:secret@a"}) {
    CAPTURE(wrong);
    CHECK(complaint(wrong).find("secret") == std::string::npos);
  }
}

TEST_CASE("a URL of Redis is told apart by its scheme") {
  for (const char* url : {"redis://", "redis+sentinel://x", "redis+cluster://x"})
    CHECK(is_redis_url(url));
  for (const char* url : {"", "embedded", "redis", "redis:/x", "postgres://x", "rediss://x"})
    CHECK(!is_redis_url(url));
}

TEST_SUITE_END();
