package controllers_test

import (
	"os"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	lua "github.com/yuin/gopher-lua"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// What GitOps tools make of an endpoint: Flux and kubectl's kin by kstatus, Argo CD by
// the script of docs/gitops.md.
var _ = Describe("The health of an endpoint", func() {
	healthOf := func(endpoint *v1alpha1.WebhookEndpoint) func(Gomega) []string {
		return func(g Gomega) []string {
			object := &unstructured.Unstructured{}
			object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("WebhookEndpoint"))
			g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(endpoint), object)).To(Succeed())
			computed, err := status.Compute(object)
			g.Expect(err).NotTo(HaveOccurred())
			return []string{computed.Status.String(), argoHealth(object)}
		}
	}

	It("is the same for all tools", func() {
		endpoint := anEndpoint("orders")
		create(endpoint)
		By("waiting for somebody")
		Eventually(healthOf(endpoint)).Should(Equal([]string{"Failed", "Degraded"}))

		By("waiting for receivers")
		create(aSecret("correct horse"), aService("shop-api"))
		receiver("late").serves("1")
		Eventually(condition(endpoint, "Ready")).Should(Equal("False Pending"))
		Expect(healthOf(endpoint)(Default)).To(Equal([]string{"InProgress", "Progressing"}))

		By("being served")
		receiver("late").serves(everything)
		Eventually(healthOf(endpoint)).Should(Equal([]string{"Current", "Healthy"}))

		By("being paused")
		change(endpoint, func(e *v1alpha1.WebhookEndpoint) { e.Spec.Paused = true })
		becomesReady(endpoint)
		Expect(healthOf(endpoint)(Default)).To(Equal([]string{"Current", "Suspended"}))

		By("being broken")
		change(endpoint, func(e *v1alpha1.WebhookEndpoint) { e.Spec.Paused, e.Spec.Provider = false, "nobody" })
		Eventually(healthOf(endpoint)).Should(Equal([]string{"Failed", "Degraded"}))
	})

	It("is progressing before the manager has seen it", func() {
		endpoint := anEndpoint("orders")
		endpoint.Generation = 2
		endpoint.Status = v1alpha1.WebhookEndpointStatus{ObservedGeneration: 1, Conditions: []metav1.Condition{
			{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Ready"},
		}}
		content, err := toUnstructured(endpoint)
		Expect(err).NotTo(HaveOccurred())
		Expect(argoHealth(content)).To(Equal("Progressing"))
		computed, err := status.Compute(content)
		Expect(err).NotTo(HaveOccurred())
		Expect(computed.Status.String()).To(Equal("InProgress"))
	})
})

func toUnstructured(endpoint *v1alpha1.WebhookEndpoint) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(endpoint)
	return &unstructured.Unstructured{Object: content}, err
}

var luaBlock = regexp.MustCompile("(?s)```lua\n(.*?)```")

// argoHealth runs the health check of docs/gitops.md as Argo CD does: with the
// object in the global obj.
func argoHealth(object *unstructured.Unstructured) string {
	GinkgoHelper()
	page, err := os.ReadFile("../docs/gitops.md")
	Expect(err).NotTo(HaveOccurred())
	script := luaBlock.FindSubmatch(page)
	Expect(script).To(HaveLen(2), "docs/gitops.md has the health check")
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", luaValue(state, object.Object))
	Expect(state.DoString(string(script[1]))).To(Succeed())
	health, ok := state.Get(-1).(*lua.LTable)
	Expect(ok).To(BeTrue(), "the health check returns a table")
	return health.RawGetString("status").String()
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for name, member := range v {
			table.RawSetString(name, luaValue(state, member))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, member := range v {
			table.Append(luaValue(state, member))
		}
		return table
	case string:
		return lua.LString(v)
	case bool:
		return lua.LBool(v)
	case int64:
		return lua.LNumber(v)
	default:
		return lua.LNil
	}
}
