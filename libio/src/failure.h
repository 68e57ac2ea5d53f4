// What libio's operations throw: a system_error whose text is for people. Boost's own ends in "[system:104 at
// /usr/include/boost/...]".
#pragma once

#include <boost/system/system_error.hpp>

#include <string>

namespace io {

class Failure final : public boost::system::system_error {
 public:
  /// `what` was attempted: "read from 192.0.2.7:4711".
  Failure(boost::system::error_code code, const std::string& what)
      : system_error(code), text_(what + ": " + code.message()) {}

  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

}  // namespace io
