#include "cmd/tidegate/registry_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RegistrySettings, TakesConfluentsNames) {
  const auto settings = ParseRegistrySettings(
      "# of the staging registry\n"
      "schema.registry.url = https://registry:8081/\n"
      "\n"
      "basic.auth.user.info=reader:pass=word\n"
      "ssl.ca.location = /etc/ca.pem\n"
      "ssl.certificate.location = /etc/me.pem\n"
      "ssl.key.location = /etc/me.key\n"
      "ssl.key.password = secret\n");
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->url, "https://registry:8081");
  EXPECT_EQ(settings->access.user_info, "reader:pass=word");
  EXPECT_EQ(settings->access.ca_file, "/etc/ca.pem");
  EXPECT_EQ(settings->access.cert_file, "/etc/me.pem");
  EXPECT_EQ(settings->access.key_file, "/etc/me.key");
  EXPECT_EQ(settings->access.key_password, "secret");
}

TEST(RegistrySettings, ErrorsNameTheLineAndNoSecret) {
  const auto message = [](absl::string_view content) {
    return std::string(ParseRegistrySettings(content).status().message());
  };
  EXPECT_EQ(message("\nreader:hunter2"), "line 2: not NAME=VALUE");
  const std::string unknown = message("basic.auth.userinfo = me:hunter2");
  EXPECT_THAT(unknown, HasSubstr("did you mean \"basic.auth.user.info\"?"));
  EXPECT_THAT(unknown, Not(HasSubstr("hunter2")));
  const std::string twice =
      message("ssl.key.password=hunter2\nssl.key.password=hunter3");
  EXPECT_EQ(twice, "line 2: \"ssl.key.password\" is given twice");
}

TEST(RegistrySettings, WhatNamesNoUrlIsForThoseWithoutTheirOwn) {
  std::vector<RegistrySettings> settings(2);
  settings[0].access.user_info = "any:one";
  settings[1].url = "http://a:1";
  settings[1].access.user_info = "for:a";
  EXPECT_EQ(AccessTo("http://a:1", settings).user_info, "for:a");
  EXPECT_EQ(AccessTo("http://b:1", settings).user_info, "any:one");
  settings.erase(settings.begin());
  EXPECT_EQ(AccessTo("http://b:1", settings).user_info, "");
}

}  // namespace
}  // namespace tidegate
