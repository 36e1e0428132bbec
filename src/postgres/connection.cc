#include "postgres/connection.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/words.h"

namespace stampede::postgres {
namespace {

// Our settings for libpq where the URL has none. The kernel gives a silent connection up at about
// the same time as we do.
struct Setting {
  const char* name;
  const char* value;
};
constexpr Setting kDefaults[] = {{"application_name", "stampede"},
                                 {"keepalives_idle", "5"},
                                 {"keepalives_interval", "2"},
                                 {"keepalives_count", "3"},
                                 {"tcp_user_timeout", "12000"}};
static_assert(bounds::postgres_statement_ms + bounds::postgres_silence_ms == 12'000);

// synchronous_commit is only ever raised: a database that was told to wait for a standby goes on waiting.
constexpr char kLocalSettings[] = R"sql(
  ; SET LOCAL tcp_keepalives_idle=5
  ; SET LOCAL tcp_keepalives_interval=2
  ; SET LOCAL tcp_keepalives_count=3
  ; SET LOCAL TimeZone='UTC'
  ; SELECT set_config('synchronous_commit',
                      CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
                           ELSE current_setting('synchronous_commit') END, true))sql";

std::string settings_of(const Options& options) {
  const int64_t lock_ms = std::min(options.statement_ms / 2, bounds::postgres_lock_ms);
  return "; SET LOCAL statement_timeout=" + std::to_string(options.statement_ms) +
         "; SET LOCAL lock_timeout=" + std::to_string(lock_ms) +
         "; SET LOCAL idle_in_transaction_session_timeout=" + std::to_string(options.idle_ms) +
         options.settings + kLocalSettings;
}

// libpq ends its complaints with a newline, and puts one between hosts and before a hint.
std::string one_line(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view part = text.substr(0, end);
    part.remove_prefix(std::min(part.find_first_not_of(" \t"), part.size()));
    if (!line.empty() && !part.empty()) line += "; ";
    line += part;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return line;
}

using Parsed = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

Parsed parse(const std::string& url, std::string& complaint) {
  char* text = nullptr;
  Parsed parsed(PQconninfoParse(url.c_str(), &text), PQconninfoFree);
  if (text != nullptr) complaint = one_line(text);
  PQfreemem(text);
  return parsed;
}

bool is_set(const PQconninfoOption* options, std::string_view name) {
  for (; options->keyword != nullptr; ++options)
    if (options->keyword == name) return options->val != nullptr;
  return false;
}

bool names_several_hosts(const PQconninfoOption* options) {
  for (; options->keyword != nullptr; ++options)
    if (options->val != nullptr && (options->keyword == std::string_view("host") ||
                                    options->keyword == std::string_view("hostaddr")))
      if (std::string_view(options->val).find(',') != std::string_view::npos) return true;
  return false;
}

// What libpq is to ask of the session; null: nothing. A host that stands alone is taken by a writer as it is, for the error of
// its first write says more.
const char* session_attributes(Server server, const PQconninfoOption* url) {
  if (is_set(url, "target_session_attrs") || server == Server::any) return nullptr;
  if (server == Server::primary) return "primary";
  return names_several_hosts(url) ? "read-write" : nullptr;
}

size_t authority_of(std::string_view url) {
  const size_t scheme = url.find("://");
  return scheme == std::string_view::npos ? 0 : scheme + 3;
}

// An @ that does not end user and password: libpq would take a part of a password that was
// not encoded for a host or a port, and complain of that by name.
bool has_stray_at(std::string_view url) {
  const size_t at = url.find('@');
  return at != url.rfind('@') ||
         (at != std::string_view::npos && at > url.find_first_of("/?#", authority_of(url)));
}

int64_t boot_ns() {
  return SystemClock().now().boot_ns;
}

}  // namespace

// ---- URLs

Status check_url(const std::string& url) {
  std::string complaint;
  if (!has_stray_at(url) && parse(url, complaint)) return Ok{};
  // libpq quotes what it could not read, and of a password that may be a part.
  if (without_password(url) != url || has_stray_at(url))
    complaint =
        "expected postgres://user:password@host:port/database with the special characters of user "
        "and password percent-encoded";
  return Error{without_password(url) + ": " + complaint};
}

// Masks rather too much than too little: from the first colon behind the scheme to the last @, where
// a password would end whose special characters should have been encoded.
std::string without_password(std::string_view url) {
  constexpr std::string_view kMask = "***";
  std::string shown(url);
  const size_t colon = shown.find(':', authority_of(url));
  const size_t at = shown.rfind('@');
  if (at != std::string::npos && colon < at) shown.replace(colon + 1, at - colon - 1, kMask);
  constexpr std::string_view kKey = "password=";  // sslpassword= too
  for (size_t key = shown.find(kKey); key != std::string::npos; key = shown.find(kKey, key)) {
    key += kKey.size();
    shown.replace(key, std::min(shown.find('&', key), shown.size()) - key, kMask);
  }
  return shown;
}

// ---- Rows

bool Rows::is_null(size_t row, int column) const {
  return PQgetisnull(result_.get(), static_cast<int>(row), column) != 0;
}

std::string_view Rows::text(size_t row, int column) const {
  const int index = static_cast<int>(row);
  return {PQgetvalue(result_.get(), index, column),
          static_cast<size_t>(PQgetlength(result_.get(), index, column))};
}

int64_t Rows::integer(size_t row, int column) const {
  const std::string_view digits = text(row, column);
  int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

uint64_t Rows::affected() const {
  const std::string_view digits = PQcmdTuples(result_.get());
  uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

// ---- Connection

Result<Connection> Connection::open(const std::string& url, const Options& options) {
  if (Status status = check_url(url); !status) return status.error();
  std::string complaint;
  const Parsed parsed = parse(url, complaint);
  const std::string connect_s = std::to_string(options.connect_s);
  std::vector<const char*> names, values;
  const auto set = [&](const char* name, const char* value) {
    names.push_back(name);
    values.push_back(value);
  };
  for (const Setting& setting : kDefaults)
    if (!is_set(parsed.get(), setting.name)) set(setting.name, setting.value);
  if (!is_set(parsed.get(), "connect_timeout")) set("connect_timeout", connect_s.c_str());
  if (const char* attributes = session_attributes(options.server, parsed.get()))
    set("target_session_attrs", attributes);
  set("dbname", url.c_str());
  set("client_encoding", "UTF8");  // behind the URL: this one is ours to say
  set(nullptr, nullptr);

  // Blocks, but libpq itself keeps connect_timeout here, for each host, and goes on to the next.
  PGconn* handle = PQconnectdbParams(names.data(), values.data(), 1);
  Connection connection(without_password(url), handle, options);
  if (PQstatus(handle) != CONNECTION_OK) return connection.break_off(PQerrorMessage(handle));
  PQsetNoticeProcessor(
      handle, [](void*, const char*) {}, nullptr);
  PQsetnonblocking(handle, 1);
  // A statement that does nothing: a server that refuses our settings is refused here.
  if (Result<Rows> done = connection.execute("SELECT"); !done) return done.error();
  return connection;
}

Connection::Connection(std::string name, PGconn* handle, const Options& options)
    : name_(std::move(name)),
      settings_(settings_of(options)),
      handle_(handle),
      patience_ms_(options.statement_ms + options.silence_ms) {}

Result<Rows> Connection::execute(const char* sql, const Parameters& parameters) {
  if (is_broken()) return Error{name_ + ": " + failure_.message};
  if (PQtransactionStatus(handle_.get()) != PQTRANS_IDLE) return send(sql, parameters);
  Result<Rows> begun = begin("BEGIN");
  if (!begun) return begun;
  Result<Rows> rows = send(sql, parameters);
  if (is_broken()) return rows;
  const Failure failure = failure_;
  const Result<Rows> ended = send(rows ? "COMMIT" : "ROLLBACK", {});
  if (rows && !ended) return ended.error();
  if (!is_broken()) failure_ = failure;
  return rows;
}

Result<Rows> Connection::execute_within(int64_t patience_ms, const char* sql,
                                        const Parameters& parameters) {
  const int64_t usual_ms = std::exchange(patience_ms_, std::min(patience_ms, patience_ms_));
  Result<Rows> rows = execute(sql, parameters);
  patience_ms_ = usual_ms;
  return rows;
}

Result<Rows> Connection::execute_alone(const char* sql) {
  if (is_broken()) return Error{name_ + ": " + failure_.message};
  CHECK(PQtransactionStatus(handle_.get()) == PQTRANS_IDLE);
  return send(sql, {});
}

Result<Rows> Connection::begin(const char* begin) {
  if (is_broken()) return Error{name_ + ": " + failure_.message};
  failure_ = {};
  if (PQsendQuery(handle_.get(), (begin + settings_).c_str()) == 0)
    return break_off(PQerrorMessage(handle_.get()));
  Result<Rows> begun = take_answer();
  if (begun || is_broken()) return begun;
  const Failure failure = failure_;
  const Result<Rows> ended = send("ROLLBACK", {});
  if (!is_broken()) failure_ = failure;
  return begun;
}

Result<Rows> Connection::send(const char* sql, const Parameters& parameters) {
  failure_ = {};
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const std::string& value : parameters.values()) {
    values.push_back(value.data());
    lengths.push_back(static_cast<int>(value.size()));
  }
  const std::vector<int> formats(parameters.size(), 1);
  if (PQsendQueryParams(handle_.get(), sql, static_cast<int>(parameters.size()),
                        parameters.types().data(), values.data(), lengths.data(), formats.data(),
                        0) == 0)
    return break_off(PQerrorMessage(handle_.get()));
  return take_answer();
}

// The rows of the last statement, or the first error.
Result<Rows> Connection::take_answer() {
  const int64_t deadline_ns = boot_ns() + patience_ms_ * kMillisecond;
  std::optional<Rows> rows;
  std::optional<Error> error;
  for (;;) {
    if (!await_answer(deadline_ns))
      return break_off("no answer within " +
                       duration_text(static_cast<uint64_t>(patience_ms_ * kMillisecond)));
    PGresult* result = PQgetResult(handle_.get());
    if (result == nullptr) break;
    Rows answer(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
      rows = std::move(answer);
    else if (!error)  // the first says more than a connection closed behind it
      error = fail(result);
  }
  if (PQstatus(handle_.get()) != CONNECTION_OK) {
    if (!error) return break_off(PQerrorMessage(handle_.get()));
    handle_.reset();
  }
  if (error) return *error;
  CHECK(rows.has_value());
  return std::move(*rows);
}

// True: PQgetResult() will not block. It also reports a connection that broke.
bool Connection::await_answer(int64_t deadline_ns) {
  PGconn* handle = handle_.get();
  for (;;) {
    const int unsent = PQflush(handle);
    if (unsent < 0 || PQisBusy(handle) == 0) return true;
    pollfd socket{.fd = PQsocket(handle),
                  .events = static_cast<short>(POLLIN | (unsent > 0 ? POLLOUT : 0)),
                  .revents = 0};
    const int64_t left_ms = (deadline_ns - boot_ns() + kMillisecond - 1) / kMillisecond;
    if (left_ms <= 0) return false;
    if (poll(&socket, 1, static_cast<int>(left_ms)) > 0 && (socket.revents & ~POLLOUT) != 0 &&
        PQconsumeInput(handle) == 0)
      return true;
  }
}

Error Connection::break_off(std::string message) {
  failure_ = {.sqlstate = "", .message = one_line(message)};
  handle_.reset();
  return Error{name_ + ": " + failure_.message};
}

Error Connection::fail(const PGresult* result) {
  const auto field = [&](int code) {
    const char* text = PQresultErrorField(result, code);
    return std::string(text == nullptr ? "" : text);
  };
  failure_ = {.sqlstate = field(PG_DIAG_SQLSTATE), .message = field(PG_DIAG_MESSAGE_PRIMARY)};
  if (failure_.message.empty()) failure_.message = PQresultErrorMessage(result);
  if (const std::string detail = field(PG_DIAG_MESSAGE_DETAIL); !detail.empty())
    failure_.message += ": " + detail;
  failure_.message = one_line(failure_.message);
  return Error{name_ + ": " + failure_.message};
}

// ---- Transaction

Result<Transaction> Transaction::begin(Connection& connection, Mode mode) {
  Result<Rows> begun =
      connection.begin(mode == Mode::write ? "BEGIN ISOLATION LEVEL READ COMMITTED"
                                           : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  if (!begun) return begun.error();
  return Transaction(connection);
}

Transaction::~Transaction() {
  if (connection_ == nullptr || connection_->is_broken()) return;
  const Result<Rows> ignored = connection_->execute("ROLLBACK");
}

Transaction::End Transaction::commit() {
  Connection& connection = *std::exchange(connection_, nullptr);
  const Result<Rows> done = connection.execute("COMMIT");
  if (done && done->command() == "COMMIT") return End::committed;
  return connection.is_broken() ? End::unknown : End::rolled_back;
}

}  // namespace stampede::postgres
