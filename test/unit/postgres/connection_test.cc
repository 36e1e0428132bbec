#include "postgres/connection.h"

#include <thread>

#include "../../servers/postgres_server.h"
#include "../../servers/relay.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace {

using namespace stampede;
using namespace stampede::postgres;
using servers::PostgresServer;
using servers::Relay;

// Quick to give up: 700 ms in the server, 300 ms beyond.
constexpr Options kImpatient = {.connect_s = 2, .statement_ms = 700, .silence_ms = 300};

struct Fixture {
  Connection connect(const Options& options = {}) {
    auto opened = Connection::open(url, options);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message));
    return std::move(*opened);
  }
  std::string text(Connection& connection, const std::string& sql) {
    auto rows = connection.execute(sql.c_str());
    REQUIRE_MESSAGE(rows, (rows ? "" : rows.error().message));
    REQUIRE(rows->size() == 1);
    return std::string(rows->text(0, 0));
  }

  PostgresServer& server = PostgresServer::shared();
  std::string database = server.create_database();
  std::string url = server.url(database);
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("postgres/connection") {
  TEST_CASE("a password is masked wherever a URL may have one") {
    const std::pair<const char*, const char*> cases[] = {
        {"postgres://u:p@h:5432/db", "postgres://u:***@h:5432/db"},
        {"postgres://u@h:5432/db", "postgres://u@h:5432/db"},
        {"postgres://h:5432/db", "postgres://h:5432/db"},
        {"postgresql://u:p@h1:1,h2:2/db?a=b", "postgresql://u:***@h1:1,h2:2/db?a=b"},
        {"postgres://u:p@ss:w/rd@h/db", "postgres://u:***@h/db"},
        {"postgres://u@/db?password=p&host=/run", "postgres://u@/db?password=***&host=/run"},
        {"postgres://h/db?sslpassword=p", "postgres://h/db?sslpassword=***"},
        {"postgres://h/db?password=a@b", "postgres://h/db?password=***"},
        {"postgres://u:p?@h/db", "postgres://u:***@h/db"},
        {"postgres://u:p#/@h/db", "postgres://u:***@h/db"},
        {"postgres://u:p@h/db?password=a&sslpassword=b",
         "postgres://u:***@h/db?password=***&sslpassword=***"},
        {"not a url", "not a url"},
    };
    for (const auto& [url, shown] : cases) CHECK(without_password(url) == shown);
  }

  // The server's own limit would leave the connection usable.
  TEST_CASE_FIXTURE(Fixture, "one statement is given up before the others would be") {
    Connection connection = connect();
    CHECK_FALSE(connection.execute_within(100, "SELECT pg_sleep(60)", {}));
    CHECK(connection.is_broken());
    Connection other = connect(kImpatient);
    CHECK_FALSE(other.execute_within(60'000, "SELECT pg_sleep(60)", {}));
    CHECK_FALSE(other.is_broken());
  }

  TEST_CASE("a URL that cannot be read is told without its password") {
    const Status unknown = check_url("postgres://h/db?colour=red");
    REQUIRE_FALSE(unknown);
    CHECK(contains(unknown.error().message, "colour"));
    // libpq would quote a part of these as host or port, some only when it connects.
    for (const char* leaky : {"postgres://u:cat/fish@h/db", "postgres://u:cat@fish@h/db",
                              "postgres://u:cat?fish@h/db", "postgres://u:cat#fish@h/db"}) {
      const Status refused = check_url(leaky);
      REQUIRE_FALSE(refused);
      CHECK_FALSE(contains(refused.error().message, "cat"));
      CHECK_FALSE(contains(refused.error().message, "fish"));
      CHECK(contains(refused.error().message, "percent-encoded"));
    }
    CHECK(check_url("postgres://u:cat%2Ffish@h/db"));
  }

  TEST_CASE_FIXTURE(Fixture, "a session is set up so that commits are durable and nothing hangs") {
    Connection connection = connect();
    CHECK(text(connection, "SHOW application_name") == "stampede");
    CHECK(text(connection, "SHOW client_encoding") == "UTF8");
    CHECK(text(connection, "SHOW synchronous_commit") == "on");
    CHECK(text(connection, "SHOW TimeZone") == "UTC");
    CHECK(text(connection, "SHOW statement_timeout") == "10s");
    CHECK(text(connection, "SHOW lock_timeout") == "3s");
    CHECK(text(connection, "SHOW idle_in_transaction_session_timeout") == "10s");
    CHECK(text(connection, "SHOW tcp_keepalives_idle") == "5");
  }

  // A pooler of transactions gives the connection to another program after each.
  TEST_CASE_FIXTURE(Fixture, "no setting of ours outlives a transaction") {
    Connection connection = connect({.settings = "; SET LOCAL enable_hashjoin=off"});
    auto transaction = Transaction::begin(connection);
    REQUIRE(transaction);
    CHECK(text(connection, "SHOW statement_timeout") == "10s");
    CHECK(text(connection, "SHOW enable_hashjoin") == "off");
    REQUIRE(connection.execute("COMMIT AND CHAIN"));  // what begins now has the session's settings
    CHECK(text(connection, "SELECT count(*) FROM pg_settings WHERE source='session'") == "0");
  }

  TEST_CASE_FIXTURE(Fixture, "a stronger synchronous_commit stays and a weaker one is raised") {
    for (const auto& [wish, kept] : {std::pair("remote_apply", "remote_apply"),
                                     {"remote_write", "remote_write"},
                                     {"local", "on"},
                                     {"off", "on"}}) {
      url = server.url(database) + "?options=-csynchronous_commit%3D" + wish;
      Connection connection = connect();
      CHECK(text(connection, "SHOW synchronous_commit") == kept);
    }
  }

  TEST_CASE_FIXTURE(Fixture, "the application name of a URL is kept") {
    url += "?application_name=reports";
    Connection connection = connect();
    CHECK(text(connection, "SHOW application_name") == "reports");
  }

  TEST_CASE_FIXTURE(Fixture, "parameters arrive as they are") {
    Connection connection = connect();
    Parameters values;
    values.add(INT64_MIN).add("a 'quoted' {text}, ünïcode").add(Timestamp{1'796'083'200'123});
    auto rows = connection.execute("SELECT $1, $2, $3::text", values);
    REQUIRE(rows);
    CHECK(rows->integer(0, 0) == INT64_MIN);
    CHECK(rows->text(0, 1) == "a 'quoted' {text}, ünïcode");
    CHECK(rows->text(0, 2) == "2026-12-01 00:00:00.123+00");
  }

  TEST_CASE_FIXTURE(Fixture, "columns arrive as arrays of any length") {
    Connection connection = connect();
    for (const size_t size : {0, 1, 3, 10'000}) {
      std::vector<int64_t> numbers;
      for (size_t i = 0; i < size; ++i) numbers.push_back(static_cast<int64_t>(i));
      Parameters columns;
      columns.add_column(numbers, [](int64_t n) { return n; })
          .add_column(numbers, [](int64_t n) { return Timestamp{n}; })
          .add_column(numbers, [](int64_t n) {
            return n % 2 ? std::optional<std::string_view>("o,d\"d") : std::nullopt;
          });
      auto rows = connection.execute(
          "SELECT count(*), coalesce(sum(n), 0), count(t), count(s), count(*) FILTER (WHERE "
          "s<>'o,d\"d') "
          "FROM unnest($1::bigint[], $2::timestamptz[], $3::text[]) AS x(n, t, s)",
          columns);
      REQUIRE_MESSAGE(rows, (rows ? "" : rows.error().message));
      const int64_t n = static_cast<int64_t>(size);
      CHECK(rows->integer(0, 0) == n);
      CHECK(rows->integer(0, 1) == n * (n - 1) / 2);
      CHECK(rows->integer(0, 2) == n);
      CHECK(rows->integer(0, 3) == n / 2);
      CHECK(rows->integer(0, 4) == 0);
    }
  }

  TEST_CASE_FIXTURE(Fixture, "times outside of 1970 to 9999 become the nearest inside") {
    Connection connection = connect();
    Parameters values;
    values.add(Timestamp{-5}).add(Timestamp{INT64_MAX});
    auto rows = connection.execute("SELECT $1::text, $2::text", values);
    REQUIRE(rows);
    CHECK(rows->text(0, 0) == "1970-01-01 00:00:00+00");
    CHECK(rows->text(0, 1) == "9999-12-31 23:59:59.999+00");
  }

  TEST_CASE_FIXTURE(Fixture, "a text with a zero byte is refused by the server and not cut short") {
    Connection connection = connect();
    Parameters values;
    values.add(std::string_view("ab\0cd", 5));
    CHECK_FALSE(connection.execute("SELECT $1", values));
    CHECK(connection.failure().sqlstate == "22021");
    CHECK_FALSE(connection.is_broken());
  }

  TEST_CASE_FIXTURE(Fixture, "an error has the code and the words of the server in one line") {
    Connection connection = connect();
    REQUIRE(connection.execute("CREATE TABLE t(id int PRIMARY KEY)"));
    REQUIRE(connection.execute("INSERT INTO t VALUES(1)"));
    const auto failed = connection.execute("INSERT INTO t VALUES(1)");
    REQUIRE_FALSE(failed);
    CHECK(connection.failure().sqlstate == "23505");
    CHECK(contains(failed.error().message, server.url(database) + ": duplicate key"));
    CHECK(contains(failed.error().message, "Key (id)=(1) already exists"));
    CHECK_FALSE(contains(failed.error().message, "\n"));
    CHECK_FALSE(connection.is_broken());
    CHECK(text(connection, "SELECT 7") == "7");
  }

  TEST_CASE_FIXTURE(Fixture, "a transaction that is not committed leaves nothing") {
    Connection connection = connect();
    REQUIRE(connection.execute("CREATE TABLE t(id int)"));
    {
      auto transaction = Transaction::begin(connection);
      REQUIRE(transaction);
      REQUIRE(connection.execute("INSERT INTO t VALUES(1)"));
    }
    CHECK(text(connection, "SELECT count(*) FROM t") == "0");
    auto transaction = Transaction::begin(connection);
    REQUIRE(connection.execute("INSERT INTO t VALUES(1)"));
    CHECK(transaction->commit() == Transaction::End::committed);
    CHECK(text(connection, "SELECT count(*) FROM t") == "1");
  }

  TEST_CASE_FIXTURE(Fixture, "a commit after a failed statement is known to have written nothing") {
    Connection connection = connect();
    auto transaction = Transaction::begin(connection);
    REQUIRE(transaction);
    CHECK_FALSE(connection.execute("SELECT 1/0"));
    CHECK(transaction->commit() == Transaction::End::rolled_back);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a statement that takes too long is given up and the connection stays") {
    Connection connection = connect(kImpatient);
    CHECK_FALSE(connection.execute("SELECT pg_sleep(60)"));
    CHECK(connection.failure().sqlstate == "57014");
    CHECK_FALSE(connection.is_broken());
    CHECK(text(connection, "SELECT 7") == "7");
  }

  TEST_CASE_FIXTURE(Fixture, "somebody else's lock is waited for and then told") {
    Connection connection = connect(kImpatient), other = connect();
    REQUIRE(connection.execute("CREATE TABLE t(id int)"));
    auto transaction = Transaction::begin(other);
    REQUIRE(other.execute("LOCK TABLE t"));
    CHECK_FALSE(connection.execute("INSERT INTO t VALUES(1)"));
    CHECK(connection.failure().sqlstate == "55P03");
    CHECK_FALSE(connection.is_broken());
  }

  TEST_CASE_FIXTURE(Fixture, "a stopped server is noticed within the deadline") {
    Connection connection = connect(kImpatient);
    server.pause();
    const auto failed = connection.execute("SELECT 7");
    server.resume();
    REQUIRE_FALSE(failed);
    CHECK(contains(failed.error().message, "no answer within 1.00 s"));
    CHECK(connection.failure().sqlstate == "");
    CHECK(connection.is_broken());
    CHECK_FALSE(connection.execute("SELECT 7"));
  }

  TEST_CASE_FIXTURE(Fixture, "a stopped server is noticed while a large statement is being sent") {
    Connection connection = connect(kImpatient);
    server.pause();
    Parameters large;
    large.add(std::string(64 << 20, 'x'));
    const auto failed = connection.execute("SELECT length($1)", large);
    server.resume();
    REQUIRE_FALSE(failed);
    CHECK(contains(failed.error().message, "no answer within 1.00 s"));
  }

  TEST_CASE_FIXTURE(Fixture, "a large statement and a large answer pass") {
    Connection connection = connect();
    Parameters large;
    large.add(std::string(16 << 20, 'x'));
    const auto rows = connection.execute("SELECT $1 || $1", large);
    REQUIRE(rows);
    CHECK(rows->text(0, 0).size() == 32u << 20);
  }

  TEST_CASE_FIXTURE(Fixture, "a stopped server is noticed while connecting") {
    server.pause();
    const auto opened = Connection::open(url, kImpatient);
    server.resume();
    REQUIRE_FALSE(opened);
    CHECK(contains(opened.error().message, "timeout expired"));
  }

  TEST_CASE_FIXTURE(Fixture, "a network that forwards nothing is noticed within the deadline") {
    Relay relay(server.port());
    url = server.url_through(relay.port(), database);
    Connection connection = connect(kImpatient);
    relay.pause();
    CHECK_FALSE(connection.execute("SELECT 7"));
    CHECK(connection.is_broken());
  }

  TEST_CASE_FIXTURE(Fixture, "a connection that is cut is broken and says so") {
    Relay relay(server.port());
    url = server.url_through(relay.port(), database);
    Connection connection = connect();
    relay.cut();
    CHECK_FALSE(connection.execute("SELECT 7"));
    CHECK(connection.is_broken());
    CHECK(connection.failure().sqlstate == "");
  }

  TEST_CASE_FIXTURE(Fixture, "a session that an administrator ends is broken and says why") {
    Connection connection = connect(), other = connect();
    const std::string pid = text(connection, "SELECT pg_backend_pid()");
    REQUIRE(other.execute(("SELECT pg_terminate_backend(" + pid + ", 10000)").c_str()));
    const auto failed = connection.execute("SELECT 7");
    REQUIRE_FALSE(failed);
    CHECK(connection.failure().sqlstate == "57P01");
    CHECK(connection.is_broken());
  }

  TEST_CASE_FIXTURE(Fixture, "of several hosts a writer takes only one that takes writes") {
    REQUIRE(connect().execute(
        ("ALTER DATABASE " + database + " SET default_transaction_read_only=on").c_str()));
    const std::string other = server.create_database();
    const std::string host = "127.0.0.1:" + std::to_string(server.port());
    url = "postgres://tester@" + host + "," + host + "/" + database;
    const auto refused = Connection::open(url);
    REQUIRE_FALSE(refused);
    CHECK(contains(refused.error().message, "read-only"));
    CHECK_FALSE(contains(refused.error().message, "\n"));
    CHECK(Connection::open(url, {.server = Server::primary}));
    CHECK(Connection::open(url, {.server = Server::any}));
    CHECK(Connection::open(url + "?target_session_attrs=any"));
  }

  TEST_CASE_FIXTURE(Fixture, "a host that is not there is passed over") {
    url =
        "postgres://tester@127.0.0.1:1,127.0.0.1:" + std::to_string(server.port()) + "/" + database;
    Connection connection = connect();
    CHECK(text(connection, "SELECT 7") == "7");
  }

  TEST_CASE_FIXTURE(Fixture, "a server that is not there is an error with its address") {
    const auto opened = Connection::open("postgres://u:secret@127.0.0.1:1/db");
    REQUIRE_FALSE(opened);
    CHECK(contains(opened.error().message, "127.0.0.1"));
    CHECK_FALSE(contains(opened.error().message, "secret"));
    CHECK_FALSE(contains(opened.error().message, "\n"));
  }
}
