// Requests and what the parser must make of them: the table behind the parser's tests and the
// fuzzer's first corpus.
//
// A case that is refused ends with the byte that condemns it: one byte less and nothing is wrong
// yet.
#pragma once

#include <string>
#include <vector>

#include "http/parser.h"

namespace stampede::http {

struct ParserCase {
  std::string name;
  std::string input;
  std::string expected;  // as describe() says it
};

const std::vector<ParserCase>& parser_cases();

// A parsed request in one line:
//   POST /v1/orders?a=b body=[{}] keep-alive user=[u1]
//   bad_request: the Host header is missing
//   more head, more body, more body continue
std::string describe(const Parsed& parsed);

}  // namespace stampede::http
