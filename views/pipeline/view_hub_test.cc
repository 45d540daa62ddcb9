#include "views/pipeline/view_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

Catalog MakeNames(const std::vector<std::string>& names) {
  Catalog catalog;
  for (const std::string& name : names) {
    CatalogView view;
    view.name = name;
    catalog.views.push_back(view);
  }
  return catalog;
}

TEST(ViewHubTest, FindsPublicViewsOfEveryPipeline) {
  Catalog one = MakeNames({"orders", "drivers"});
  Catalog two = MakeNames({"drivers", "totals"});
  two.views[0].is_private = true;
  ServedPipeline first("default", &one, nullptr);
  ServedPipeline second("own", &two, nullptr);
  ViewHub hub;
  hub.Add(&first);
  hub.Add(&second);

  ASSERT_EQ(hub.views().size(), 3u);
  EXPECT_EQ(hub.views()[0].view->name, "drivers");
  EXPECT_EQ(hub.views()[1].view->name, "orders");
  EXPECT_EQ(hub.views()[2].view->name, "totals");
  ASSERT_NE(hub.Find("drivers"), nullptr);
  EXPECT_EQ(hub.Find("drivers")->pipeline, &first);
  EXPECT_EQ(hub.Find("totals")->pipeline, &second);
  EXPECT_EQ(hub.Find("total"), nullptr);
  EXPECT_EQ(hub.Find("zzz"), nullptr);
  EXPECT_EQ(hub.pipelines().size(), 2u);
}

TEST(ViewHubTest, NamesTheNearestViewOrWhatThereIs) {
  ViewHub hub;
  EXPECT_THAT(std::string(hub.NoSuchView("x").message()),
              HasSubstr("no other view"));
  std::vector<std::string> names = {"orders"};
  for (int i = 10; i < 40; ++i) names.push_back(absl::StrCat("view_no_", i));
  Catalog catalog = MakeNames(names);
  ServedPipeline pipeline("default", &catalog, nullptr);
  hub.Add(&pipeline);
  EXPECT_TRUE(absl::IsNotFound(hub.NoSuchView("ordres")));
  EXPECT_EQ(hub.NoSuchView("ordres").message(),
            "no view \"ordres\", did you mean \"orders\"?");
  const std::string far(hub.NoSuchView("qqqqqqqqqqqqqqqq").message());
  EXPECT_THAT(far, HasSubstr("there is orders, view_no_10"));
  EXPECT_THAT(far, HasSubstr("and 11 more"));
}

TEST(ServedPipelineTest, TellsListenersOfCommitsAndStatus) {
  Catalog catalog;
  ServedPipeline pipeline("default", &catalog, nullptr);
  EXPECT_TRUE(absl::IsUnavailable(pipeline.status()));
  int first = 0;
  absl::Status seen;
  pipeline.AddListener([&] { ++first; });
  pipeline.AddListener([&] { seen = pipeline.status(); });
  pipeline.SetStatus(absl::OkStatus());
  EXPECT_EQ(first, 1);
  EXPECT_TRUE(seen.ok());
  pipeline.NotifyCommitted();
  EXPECT_EQ(first, 2);
  pipeline.SetStatus(absl::FailedPreconditionError("stopped"));
  EXPECT_TRUE(absl::IsFailedPrecondition(seen));
}

TEST(ServedPipelineTest, StatusMayBeReadWhileItIsSet) {
  Catalog catalog;
  ServedPipeline pipeline("default", &catalog, nullptr);
  std::thread writer([&] {
    for (int i = 0; i < 1000; ++i) {
      pipeline.SetStatus(absl::UnavailableError("reading tables"));
    }
    pipeline.SetStatus(absl::OkStatus());
  });
  while (!pipeline.status().ok()) std::this_thread::yield();
  writer.join();
  EXPECT_TRUE(pipeline.status().ok());
}

}  // namespace
}  // namespace tidegate
