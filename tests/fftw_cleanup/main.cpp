// SPDX-License-Identifier: MIT
// Products by FFTW's engine, then fftw_cleanup() by somebody else, then the end of the program. No plan may
// be destroyed after the cleanup: FFTW has freed what they refer to.
#include <cstdio>
#include <cstdlib>

#include <toeplitz/fft/fftw_convolution.hpp>
#include <toeplitz/operators/fft.hpp>

namespace {

using namespace toeplitz;

bool is_cleaned_up = false;

void expect_a_planner() {
    if (!is_cleaned_up) return;
    std::puts("wrong: a plan is destroyed after fftw_cleanup()");
    std::fflush(stdout);
    std::_Exit(1);
}

/// Sums of ones, with plans that end up in the cache.
template <class Scalar>
bool product() {
    constexpr Index n = 3000;  // beyond direct products
    const Matrix<Scalar> ones = Matrix<Scalar>::Ones(n, 2);
    const Fft<Scalar, Causality::causal, FftwConvolution<Scalar>> op({.length = n, .channels = 2}, ones);
    Matrix<Scalar> y(n, 2);
    Workspace ws;
    op.apply(ones, y, ws);
    return y.row(n - 1).isConstant(Scalar(n), Scalar(1e-3));
}

}  // namespace

// By the linker's --wrap: what the plans of this program call.
extern "C" {

void __real_fftw_destroy_plan(::fftw_plan plan);
void __real_fftwf_destroy_plan(::fftwf_plan plan);

void __wrap_fftw_destroy_plan(::fftw_plan plan) {
    expect_a_planner();
    __real_fftw_destroy_plan(plan);
}
void __wrap_fftwf_destroy_plan(::fftwf_plan plan) {
    expect_a_planner();
    __real_fftwf_destroy_plan(plan);
}
}

int main() {
    if (!product<float>() || !product<double>()) {
        std::puts("wrong: the product");
        return 1;
    }
    { const FftwPlan<float> own(FftwKind::complex_forward, 24, PlannerEffort::estimate); }
    fftw_cleanup();
    fftwf_cleanup();
    is_cleaned_up = true;
}
