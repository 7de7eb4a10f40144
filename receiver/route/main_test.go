package route

import (
	"testing"

	"sallyport.dev/sallyport/test/apiserver"
)

func TestMain(m *testing.M) { apiserver.Main(m) }
