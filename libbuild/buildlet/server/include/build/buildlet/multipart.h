// Forms as browsers send them with files in them (multipart/form-data, RFC 7578), of which a worker wants the fields.
// Pure.
#pragma once

#include <io/http1.h>

#include <string_view>

namespace build::buildlet {

/// Whether a Content-Type says that a body is such a form.
bool is_multipart_form(std::string_view content_type);

/// The form's fields in their order; parts with a file name are passed over. Throws io::HttpError 400: there is no
/// boundary, the body is cut short or not divided by it, a part has no name, there are more than 10,000 parts.
io::Params parse_multipart_form(std::string_view content_type, std::string_view body);

}  // namespace build::buildlet
