package minicluster

import (
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A statusError is an answer that says no, as every Kubernetes API says it.
type statusError struct{ status metav1.Status }

func (e *statusError) Error() string { return e.status.Message }

func fail(code int, reason metav1.StatusReason, format string, args ...any) *statusError {
	return &statusError{metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure,
		Message:  fmt.Sprintf(format, args...),
		Reason:   reason,
		Code:     int32(code),
	}}
}

func badRequest(format string, args ...any) *statusError {
	return fail(http.StatusBadRequest, metav1.StatusReasonBadRequest, format, args...)
}

func unauthorized() *statusError {
	return fail(http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")
}

func forbidden(format string, args ...any) *statusError {
	return fail(http.StatusForbidden, metav1.StatusReasonForbidden, format, args...)
}

func notFound(resource, name string) *statusError {
	return fail(http.StatusNotFound, metav1.StatusReasonNotFound, "%s %q not found", resource, name)
}

func noSuchPath() *statusError {
	return fail(http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
}

func conflict(format string, args ...any) *statusError {
	return fail(http.StatusConflict, metav1.StatusReasonConflict, format, args...)
}

func invalid(format string, args ...any) *statusError {
	return fail(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, format, args...)
}

// reasons are those of the statuses that a fault may be; the others have none.
var reasons = map[int]metav1.StatusReason{
	http.StatusUnauthorized:        metav1.StatusReasonUnauthorized,
	http.StatusForbidden:           metav1.StatusReasonForbidden,
	http.StatusNotFound:            metav1.StatusReasonNotFound,
	http.StatusTooManyRequests:     metav1.StatusReasonTooManyRequests,
	http.StatusInternalServerError: metav1.StatusReasonInternalError,
	http.StatusServiceUnavailable:  metav1.StatusReasonServiceUnavailable,
	http.StatusGatewayTimeout:      metav1.StatusReasonTimeout,
}
