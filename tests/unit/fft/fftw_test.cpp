// SPDX-License-Identifier: MIT
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numbers>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/fft/fftw.hpp>

namespace toeplitz::test {
namespace {

template <class S>
class FftwPlanTest : public testing::Test {
protected:
    using Complex = std::complex<S>;

    void SetUp() override { set_planner_effort(PlannerEffort::estimate); }
    void TearDown() override { set_planner_effort(PlannerEffort::estimate); }

    static Buffer<Complex> random_signal(Index size) {
        const Matrix<S> values = random_matrix<S>(size, 2, 1);
        Buffer<Complex> signal(size);
        for (Index t = 0; t < size; ++t) signal[t] = Complex(values(t, 0), values(t, 1));
        return signal;
    }

    /// Σ_t x_t e^{sign·2πi kt/N} in long double.
    static std::complex<long double> transform(const Buffer<Complex>& x, Index k, int sign) {
        std::complex<long double> sum = 0;
        for (Index t = 0; t < x.size(); ++t) {
            const long double angle = sign * 2 * std::numbers::pi_v<long double> *
                                      static_cast<long double>(k * t % x.size()) /
                                      static_cast<long double>(x.size());
            sum += std::complex<long double>(x[t].real(), x[t].imag()) * std::polar(1.0L, angle);
        }
        return sum;
    }

    static long double tolerance(const Buffer<Complex>& x) {
        long double squares = 0;
        for (Index t = 0; t < x.size(); ++t) squares += static_cast<long double>(std::norm(x[t]));
        // Three times as much where FFTW has no fast algorithm, as for the prime below.
        return 3 * transform_error(x.size()) * unit<S> *
               std::sqrt(squares * static_cast<long double>(x.size()));
    }

    static void expect_close(Complex actual, std::complex<long double> expected, long double tolerance) {
        EXPECT_LE(std::abs(std::complex<long double>(actual.real(), actual.imag()) - expected), tolerance);
    }
};

TYPED_TEST_SUITE(FftwPlanTest, Scalars);

TYPED_TEST(FftwPlanTest, ComplexTransformsFollowTheirSigns) {
    using S = TypeParam;
    for (const Index size : {1, 2, 12, 37}) {
        const auto x = this->random_signal(size);
        for (const auto& [kind, sign] :
             {std::pair{FftwKind::complex_forward, -1}, std::pair{FftwKind::complex_backward, 1}}) {
            const FftwPlan<S> plan(kind, size, PlannerEffort::estimate);
            EXPECT_EQ(plan.size(), size);
            EXPECT_EQ(plan.kind(), kind);
            Buffer<std::complex<S>> from = x;
            Buffer<std::complex<S>> to(size);
            plan.execute(from.data(), to.data());
            for (Index k = 0; k < size; ++k) {
                this->expect_close(to[k], this->transform(x, k, sign), this->tolerance(x));
            }
        }
    }
}

TYPED_TEST(FftwPlanTest, RealTransformsAreHalfOfTheComplexOnes) {
    using S = TypeParam;
    for (const Index size : {1, 2, 12, 37}) {
        Buffer<std::complex<S>> x = this->random_signal(size);
        Buffer<S> real(size);
        for (Index t = 0; t < size; ++t) {
            real[t] = x[t].real();
            x[t] = real[t];
        }
        Buffer<std::complex<S>> half(size / 2 + 1);
        FftwPlan<S>(FftwKind::real_forward, size, PlannerEffort::estimate).execute(real.data(), half.data());
        for (Index k = 0; k <= size / 2; ++k) {
            this->expect_close(half[k], this->transform(x, k, -1), this->tolerance(x));
        }
        Buffer<S> back(size);
        FftwPlan<S>(FftwKind::real_backward, size, PlannerEffort::estimate).execute(half.data(), back.data());
        for (Index t = 0; t < size; ++t) {
            EXPECT_TRUE(near(back[t], static_cast<S>(size) * x[t].real(), 2 * this->tolerance(x)));
        }
    }
}

TYPED_TEST(FftwPlanTest, EqualPlansAreOneObject) {
    using S = TypeParam;
    const auto plan = fftw_plan<S>(FftwKind::complex_forward, 60);
    EXPECT_EQ(fftw_plan<S>(FftwKind::complex_forward, 60), plan);
    EXPECT_NE(fftw_plan<S>(FftwKind::complex_backward, 60), plan);
    EXPECT_NE(fftw_plan<S>(FftwKind::complex_forward, 61), plan);
    set_planner_effort(PlannerEffort::measure);
    EXPECT_NE(fftw_plan<S>(FftwKind::complex_forward, 60), plan);
    set_planner_effort(PlannerEffort::estimate);
    EXPECT_EQ(fftw_plan<S>(FftwKind::complex_forward, 60), plan);
}

TYPED_TEST(FftwPlanTest, EffortIsASettingOfTheProcess) {
    EXPECT_EQ(planner_effort(), PlannerEffort::estimate);
    set_planner_effort(PlannerEffort::patient);
    EXPECT_EQ(planner_effort(), PlannerEffort::patient);
    using S = TypeParam;
    EXPECT_EQ(FftwPlan<S>(FftwKind::complex_forward, 16, planner_effort()).size(), 16);
}

TYPED_TEST(FftwPlanTest, RejectsSizesOutsideOfFftwsRange) {
    using S = TypeParam;
    expect_error<config_error>(201, "[toeplitz.config.201] FftwPlan: expected size >= 1, got 0",
                               [] { FftwPlan<S>(FftwKind::complex_forward, 0, PlannerEffort::estimate); });
    expect_error<config_error>(
        202, "[toeplitz.config.202] FftwPlan: expected a transform size below 2^31, got 2147483648",
        [] { FftwPlan<S>(FftwKind::complex_forward, Index{1} << 31, PlannerEffort::estimate); });
}

TYPED_TEST(FftwPlanTest, WisdomOnlyFailsWithoutWisdom) {
    using S = TypeParam;
    const std::string name = std::is_same_v<S, float> ? "float" : "double";
    set_planner_effort(PlannerEffort::wisdom_only);
    for (int attempt = 0; attempt < 2; ++attempt) {  // a failure is not cached
        expect_error<plan_error>(301,
                                 "[toeplitz.plan.301] FftwPlan: expected a " + name +
                                     " plan of 1234 points, got none in the loaded wisdom",
                                 [] { fftw_plan<S>(FftwKind::complex_forward, 1234); });
    }
    set_planner_effort(PlannerEffort::estimate);
    EXPECT_EQ(fftw_plan<S>(FftwKind::complex_forward, 1234)->size(), 1234);
}

// --- Wisdom ------------------------------------------------------------------------------------------------

template <class S>
class WisdomTest : public testing::Test {
protected:
    void SetUp() override {
        directory_ = testing::TempDir() + "toeplitz_wisdom_" + std::to_string(sizeof(S)) + "_" +
                     std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + "_" +
                     testing::UnitTest::GetInstance()->current_test_info()->name();
        std::filesystem::create_directories(directory_);
    }
    void TearDown() override {
        set_planner_effort(PlannerEffort::estimate);
        std::filesystem::remove_all(directory_);
    }

    std::string file(const char* name) const { return directory_ + "/" + name; }

    static void forget() {
        const std::lock_guard lock(process::planner_mutex());
        if constexpr (std::is_same_v<S, float>) {
            fftwf_forget_wisdom();
        } else {
            fftw_forget_wisdom();
        }
    }

    static constexpr const char* name = std::is_same_v<S, float> ? "float" : "double";

    std::string directory_;
};
TYPED_TEST_SUITE(WisdomTest, Scalars);

TYPED_TEST(WisdomTest, SurvivesTheWayThroughAFile) {
    using S = TypeParam;
    constexpr Index size = 96;
    const auto plan_from_wisdom = [] {
        return FftwPlan<S>(FftwKind::complex_forward, size, PlannerEffort::wisdom_only).size();
    };
    const FftwPlan<S> measured(FftwKind::complex_forward, size, PlannerEffort::measure);
    save_wisdom<S>(this->file("wisdom"));
    EXPECT_FALSE(std::filesystem::exists(this->file("wisdom.part")));
    EXPECT_EQ(plan_from_wisdom(), size);
    this->forget();
    EXPECT_THROW(plan_from_wisdom(), plan_error);
    load_wisdom<S>(this->file("wisdom"));
    EXPECT_EQ(plan_from_wisdom(), size);
}

TYPED_TEST(WisdomTest, RefusesAFileThatIsNone) {
    using S = TypeParam;
    std::ofstream(this->file("garbage")) << "no wisdom at all";
    for (const char* name : {"garbage", "missing"}) {
        expect_error<plan_error>(302,
                                 "[toeplitz.plan.302] load_wisdom: expected a readable file of " +
                                     std::string(this->name) + " wisdom, got '" + this->file(name) + "'",
                                 [&] { load_wisdom<S>(this->file(name)); });
    }
}

TYPED_TEST(WisdomTest, RefusesWisdomOfTheOtherScalar) {
    using S = TypeParam;
    using Other = std::conditional_t<std::is_same_v<S, float>, double, float>;
    const FftwPlan<Other> measured(FftwKind::complex_forward, 32, PlannerEffort::measure);
    save_wisdom<Other>(this->file("other"));
    EXPECT_THROW(load_wisdom<S>(this->file("other")), plan_error);
}

TYPED_TEST(WisdomTest, ReportsAPathThatCannotBeWritten) {
    using S = TypeParam;
    const std::string path = this->file("no/such/directory");
    expect_error<plan_error>(
        303, "[toeplitz.plan.303] save_wisdom: expected a path that can be written, got '" + path + "'",
        [&] { save_wisdom<S>(path); });
}

TYPED_TEST(WisdomTest, AFailedSaveLeavesTheOldFile) {
    using S = TypeParam;
    // The file itself cannot be replaced: it is a directory with something in it.
    std::filesystem::create_directories(this->file("taken/inside"));
    EXPECT_THROW(save_wisdom<S>(this->file("taken")), plan_error);
    EXPECT_TRUE(std::filesystem::exists(this->file("taken/inside")));
    EXPECT_FALSE(std::filesystem::exists(this->file("taken.part")));
}

}  // namespace
}  // namespace toeplitz::test
