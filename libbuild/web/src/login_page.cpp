// Where a browser changes a token for a cookie.

#include "layout.h"
#include "pages.h"

namespace build::web {

Answer login_page(const FarmView& farm, model::Time now, const LoginForm& form) {
  Frame frame;
  frame.title = "Sign in \xC2\xB7 xbuild";
  Html main;
  main.markup("<h1>Sign in</h1>\n");
  if (!form.signed_in_as.empty()) {
    main.markup("<p class=\"lead\">You are signed in as ").text(form.signed_in_as).markup(".</p>\n");
    main.markup("<form method=\"post\" action=\"/logout\"><p><button>Sign out</button></p></form>\n");
    return {200, kHtmlType, write_page(farm, now, frame, main)};
  }
  if (!form.trouble.empty()) main.markup("<p class=\"why failed\" role=\"alert\">").text(form.trouble).markup("</p>\n");
  main.markup("<form method=\"post\" action=\"/login\">\n<input type=\"hidden\" name=\"next\" value=\"");
  main.text(form.next).markup("\"/>\n<p><label for=\"token\">Token</label> ");
  main.markup("<input type=\"password\" id=\"token\" name=\"token\" autocomplete=\"current-password\" required=\"\" ");
  main.markup("autofocus=\"\"/> <button>Sign in</button></p>\n</form>\n");
  main.markup("<p class=\"aside\">Tokens are given out by whoever runs this farm; farm.toml(5) says how.</p>\n");
  return {200, kHtmlType, write_page(farm, now, frame, main)};
}

}  // namespace build::web
